"""A forge on loopback: repositories behind git's own http-backend, and the API that a dialect speaks.

What a forge keeps stands here; how it is asked and how it answers is a dialect's. Everybody acts over the wire, with
the token of an account: the platform's as well as people's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import subprocess
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import RLock, Thread
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

OWNER, NAME = "acme", "intents"
BOT, ANA, BEN = "ordain-bot", "ana", "ben"
TOKENS = {BOT: "token-of-the-platform", ANA: "token-of-ana", BEN: "token-of-ben"}
MAIN = "refs/heads/main"


@dataclass
class Review:
    """What a person said of a pull request, at the commit that was its head then."""

    id: int
    user: str
    state: str
    commit: str
    at: datetime
    dismissed: bool = False


@dataclass
class Pull:
    """One pull request from a branch of the same repository onto main."""

    number: int
    branch: str
    title: str
    body: str
    author: str
    head: str
    base: str
    state: str = "open"
    merged_as: str | None = None
    ended_by: str | None = None
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    reviews: list[Review] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    def end(self, user: str, merged_as: str | None = None) -> None:
        """Close it, as merged where a commit is named."""
        self.state, self.merged_as, self.ended_by = "closed", merged_as, user
        self.touch()

    def touch(self) -> None:
        """Note that something happened to it."""
        self.updated_at = datetime.now(UTC)


@dataclass(frozen=True)
class Asked:
    """One request to the API, by whom."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    user: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """An answer; a body of None is none, one of bytes is sent as it is."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Dialect(Protocol):
    """How one sort of forge is spoken to."""

    prefix: str
    """Where its API begins."""

    def user_of(self, forge: Forge, authorization: str) -> str | None:
        """Return whose token it is, or None."""
        ...

    def refuse(self) -> Answer:
        """Return the answer to a token that nobody has."""
        ...

    def answer(self, forge: Forge, asked: Asked) -> Answer:
        """Answer one request."""
        ...

    def pushed(self, forge: Forge) -> None:
        """Do what the forge does after a push, besides closing what has no branch any more."""
        ...

    def event(self, forge: Forge, name: str) -> tuple[bytes, Mapping[str, str]]:
        """Return body and headers of a webhook's delivery, signed."""
        ...


@dataclass
class Forge:
    """What a forge keeps of one repository, and what was asked of it."""

    git_dir: Path
    dialect: Dialect
    address: str = ""
    pulls: list[Pull] = field(default_factory=list)
    statuses: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    fault: Callable[[Asked], Answer | None] = lambda _: None
    """What goes wrong before the forge looks at a request."""
    git_fault: Callable[[str, str], HTTPStatus | None] = lambda _method, _path: None
    """What git is told instead of an answer, by method and path."""
    after_git: Callable[[str], None] = lambda _path: None
    """Called when git's request is done and not yet answered."""
    hook_secret: str = "secret-of-the-webhook"
    hook_url: str = ""
    lock: RLock = field(default_factory=RLock)

    @property
    def url(self) -> str:
        """Where the repository is, as people see it."""
        return f"{self.address}/{OWNER}/{NAME}"

    def git(self, *words: str, given: bytes = b"") -> str:
        """Run git in the repository."""
        person = {f"GIT_{role}_{what}": "forge" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        done = subprocess.run(
            ["git", *words], cwd=self.git_dir, input=given, env=os.environ | person, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    def head(self, ref: str) -> str | None:
        """Return the commit of a ref."""
        found = self.git("for-each-ref", "--format=%(objectname)", ref)
        return found or None

    def pull(self, number: int) -> Pull | None:
        """Return a pull request, its head where the branch is."""
        found = next((each for each in self.pulls if each.number == number), None)
        if found is not None and found.state == "open":
            head = self.head(f"refs/heads/{found.branch}") or found.head
            if head != found.head:
                found.head = head
                found.touch()
        return found

    def close_without_branch(self, user: str) -> None:
        """Close the pull requests whose branch is gone, as both forges do."""
        for each in self.pulls:
            if each.state == "open" and self.head(f"refs/heads/{each.branch}") is None:
                each.end(user)

    def open_of(self, branch: str) -> Pull | None:
        """Return the open pull request of a branch."""
        return next((each for each in self.pulls if each.branch == branch and each.state == "open"), None)

    def add_pull(self, branch: str, title: str, body: str, author: str) -> Pull:
        """Open a pull request."""
        head, base = self.head(f"refs/heads/{branch}"), self.head(MAIN)
        assert head is not None
        assert base is not None
        self.pulls.append(Pull(len(self.pulls) + 1, branch, title, body, author, head, base))
        return self.pulls[-1]

    def contains(self, commit: str) -> bool:
        """Say whether main has a commit."""
        words = ["git", "merge-base", "--is-ancestor", commit, MAIN]
        return subprocess.run(words, cwd=self.git_dir, capture_output=True, check=False).returncode == 0

    def land(self, pull: Pull, how: str, message: str, user: str) -> str | None:
        """Merge as the button does: `merge`, `squash` or `rebase`; None where the branches conflict."""
        try:
            tree = self.git("merge-tree", "--write-tree", MAIN, pull.head)
        except subprocess.CalledProcessError:
            return None
        parents = ["-p", MAIN, "-p", pull.head] if how == "merge" else ["-p", MAIN]
        said = message if how != "rebase" else self.git("log", "-1", "--format=%B", pull.head)
        made = self.git("commit-tree", tree, *parents, given=f"{said}\n".encode())
        self.git("update-ref", MAIN, made)
        pull.end(user, made)
        return made

    def deliver(self, name: str, url: str = "") -> int:
        """Deliver an event to the webhook, and return the status of the answer."""
        body, headers = self.dialect.event(self, name)
        request = urllib.request.Request(url or self.hook_url, body, dict(headers), method="POST")  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return int(answer.status)


def signature(secret: str, body: bytes) -> str:
    """Return what a webhook's signature is made of: the HMAC-SHA256 of the body, in hexadecimal digits."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def status_of(asked: Asked, field_: str) -> dict[str, str]:
    """Return a status as it is kept; `field_` is what the forge calls its state."""
    return {
        field_: asked.body["state"],
        "context": asked.body["context"],
        "description": asked.body.get("description", ""),
        "target_url": asked.body.get("target_url", ""),
        "created_at": stamp(datetime.now(UTC)),
    }


def stamp(at: datetime) -> str:
    """Return a time as forges write it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def serve(root: Path, dialect: Dialect) -> Iterator[Forge]:
    """Serve a forge with one empty repository, on a free port."""
    git_dir = root / OWNER / f"{NAME}.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(git_dir)], check=True)
    server = ForgeServer(Forge(git_dir, dialect), root)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.forge
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class ForgeServer(ThreadingHTTPServer):
    """The server of one forge."""

    daemon_threads = True

    def __init__(self, forge: Forge, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.forge, self.root = forge, root
        forge.address = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that went away: tests end them."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: ForgeServer

    def do_GET(self) -> None:
        body, forge = read_body(self), self.server.forge
        if self.path.startswith(f"{forge.dialect.prefix}/"):
            with forge.lock:
                self._reply(self._api(body))
        else:
            self._git(body)

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names http.server calls

    def _api(self, body: bytes) -> Answer:
        forge, url = self.server.forge, urlsplit(self.path)
        user = forge.dialect.user_of(forge, self.headers.get("Authorization", ""))
        asked = Asked(
            method=self.command,
            path=url.path.removeprefix(forge.dialect.prefix),
            query={key: values[0] for key, values in parse_qs(url.query).items()},
            body=json.loads(body) if body else None,
            user=user or "",
            headers={key.lower(): value for key, value in self.headers.items()},
        )
        forge.asked.append(asked)
        if (wrong := forge.fault(asked)) is not None:
            return wrong
        return forge.dialect.refuse() if user is None else forge.dialect.answer(forge, asked)

    def _reply(self, answer: Answer) -> None:
        body = b"" if answer.body is None else answer.body
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json; charset=utf-8", **answer.headers}
        self._send(answer.status, list(headers.items()), body)

    def _git(self, body: bytes) -> None:
        forge = self.server.forge
        user = basic_user(forge, self.headers.get("Authorization", ""))
        fault = forge.git_fault(self.command, self.path)
        if user is None or fault is not None:
            self._send(fault or HTTPStatus.UNAUTHORIZED, [("WWW-Authenticate", 'Basic realm="forge"')], b"")
            return
        answer = backend(self, self.server.root, user, body)
        if self.path.endswith("/git-receive-pack") and self.command == "POST":
            with forge.lock:
                forge.dialect.pushed(forge)
                forge.close_without_branch(user)
        forge.after_git(self.path)
        self._send(*answer)

    def _send(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's signature
        pass


def read_body(request: BaseHTTPRequestHandler) -> bytes:
    """Return the body, also one in chunks: git sends large packs so."""
    if request.headers.get("Transfer-Encoding", "") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length", 0)))
    found = bytearray()
    while size := int(request.rfile.readline().split(b";")[0], 16):
        found += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return bytes(found)


def basic_user(forge: Forge, authorization: str) -> str | None:
    """Return whose token is the password: forges do not look at the name beside it."""
    scheme, _, value = authorization.partition(" ")
    if scheme != "Basic":
        return None
    token = base64.b64decode(value).decode().partition(":")[2]
    return forge.dialect.user_of(forge, f"token {token}")


def backend(
    request: BaseHTTPRequestHandler, root: Path, user: str, body: bytes
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Let git's http-backend answer (git-http-backend(1), RFC 3875)."""
    url = urlsplit(request.path)
    owner, _, rest = url.path.removeprefix("/").partition("/")
    name, _, service = rest.partition("/")
    environment = {
        **os.environ,
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{owner}/{name.removesuffix('.git')}.git/{service}",
        "QUERY_STRING": url.query,
        "REQUEST_METHOD": request.command,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "REMOTE_USER": user,
        "REMOTE_ADDR": "127.0.0.1",
    }
    done = subprocess.run(
        ["git", "http-backend"], input=body, env=environment, capture_output=True, check=False, timeout=60
    )
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    headers = [(key, value) for key, _, value in (line.partition(": ") for line in head.decode().split("\r\n"))]
    status = next((int(value.split()[0]) for key, value in headers if key == "Status"), int(HTTPStatus.OK))
    return status, [(key, value) for key, value in headers if key not in {"Status", ""}], content
