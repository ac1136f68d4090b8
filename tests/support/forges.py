"""Forges to run one suite on: the doubles, and a real Gitea where `ORDAIN_TEST_GITEA` tells of one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from intents.kinds.platform import ForgeProvider
from reconciler.stores.forges.gitea import GiteaForge
from reconciler.stores.forges.github import GitHubForge
from reconciler.stores.git.remote import GitRemote
from tests.support.forge_double import ANA, BEN, BOT, NAME, OWNER, TOKENS, Forge, serve
from tests.support.forge_gitea import GiteaDialect
from tests.support.forge_github import GitHubDialect

REAL_GITEA = os.environ.get("ORDAIN_TEST_GITEA", "")
"""`http://<token of an administrator>@<host>:<port>`: repositories and people of the suite's own are made there."""
SEEN_WITHIN_SECONDS = 20.0
PASSWORD = "Only-for-the-suite-1"


@dataclass(frozen=True)
class World:
    """One repository on a forge, and the people who use it."""

    provider: ForgeProvider
    url: str
    """The repository, as platform.yaml names it."""
    api: str
    """The repository in the API."""
    tokens: Mapping[str, str]
    """By account: the platform's, which is BOT, and people's."""
    names: Mapping[str, str]
    """What the accounts are called there."""
    double: Forge | None = None

    def forge(self, token: Callable[[], str] | None = None) -> GiteaForge | GitHubForge:
        """Return the repository as the platform acts in it."""
        kind = GiteaForge if self.provider is ForgeProvider.GITEA else GitHubForge
        return kind(self.url, token or (lambda: self.tokens[BOT]))

    def remote(self, path: Path, who: str = BOT) -> GitRemote:
        """Return the repository as a remote of the one at `path`."""
        return GitRemote(path, self.url, lambda: self.tokens[who])

    def await_first_push(self) -> None:
        """Wait until the forge has seen the first push: a moment longer Gitea has no pull requests at all (404)."""
        deadline = time.monotonic() + SEEN_WITHIN_SECONDS
        while self.double is None and self.act(BOT, "GET", "")["empty"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def act(self, who: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Let a person do something through the API."""
        scheme = "token" if self.provider is ForgeProvider.GITEA else "Bearer"
        headers = {"Authorization": f"{scheme} {self.tokens[who]}"}
        answer = httpx.request(method, f"{self.api}{path}", json=body, headers=headers, timeout=30)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def review(self, number: int, who: str, *, approve: bool = True) -> int:
        """Let a person approve a pull request, or ask for changes; return the review's number."""
        words = {
            ForgeProvider.GITEA: ("APPROVED", "REQUEST_CHANGES"),
            ForgeProvider.GITHUB: ("APPROVE", "REQUEST_CHANGES"),
        }
        event = words[self.provider][0 if approve else 1]
        return int(self.act(who, "POST", f"/pulls/{number}/reviews", {"event": event, "body": "seen"})["id"])

    def dismiss(self, number: int, review: int, who: str = BOT) -> None:
        """Let a person dismiss a review."""
        method = "POST" if self.provider is ForgeProvider.GITEA else "PUT"
        self.act(who, method, f"/pulls/{number}/reviews/{review}/dismissals", {"message": "no longer"})

    def press_merge(self, number: int, how: str, who: str = ANA) -> None:
        """Let a person press the merge button: `merge`, `squash` or `rebase`."""
        if self.provider is ForgeProvider.GITEA:
            self._press_until_taken(number, how, who)
        else:
            self.act(who, "PUT", f"/pulls/{number}/merge", {"merge_method": how})

    def _press_until_taken(self, number: int, how: str, who: str) -> None:
        """Press again while Gitea still looks whether there are conflicts: then it answers "try again later"."""
        deadline = time.monotonic() + SEEN_WITHIN_SECONDS
        while True:
            try:
                self.act(who, "POST", f"/pulls/{number}/merge", {"Do": how})
            except AssertionError as refused:
                if "try again later" not in str(refused) or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return


@contextmanager
def gitea_double(root: Path) -> Iterator[World]:
    """Serve a double that speaks as Gitea."""
    with serve(root, GiteaDialect()) as forge:
        yield _of_double(ForgeProvider.GITEA, forge)


@contextmanager
def github_double(root: Path) -> Iterator[World]:
    """Serve a double that speaks as GitHub."""
    with serve(root, GitHubDialect()) as forge:
        yield _of_double(ForgeProvider.GITHUB, forge)


def _of_double(provider: ForgeProvider, forge: Forge) -> World:
    api = f"{forge.address}{forge.dialect.prefix}/repos/{OWNER}/{NAME}"
    return World(provider, forge.url, api, TOKENS, {who: who for who in TOKENS}, forge)


@contextmanager
def real_gitea(_: Path) -> Iterator[World]:
    """Make a repository and two people on a real Gitea, and remove them in the end."""
    place = urlsplit(REAL_GITEA)
    base, admin = f"{place.scheme}://{place.hostname}:{place.port}", place.username or ""
    with httpx.Client(
        base_url=f"{base}/api/v1", headers={"Authorization": f"token {admin}"}, timeout=30, trust_env=False
    ) as client:
        bot = client.get("/user").raise_for_status().json()["login"]
        suffix = uuid4().hex[:8]
        names = {BOT: bot, ANA: f"ana-{suffix}", BEN: f"ben-{suffix}"}
        repository = f"{bot}/intents-{suffix}"
        tokens = {BOT: admin} | {who: _person(client, names[who]) for who in (ANA, BEN)}
        _repository(client, repository, [names[ANA], names[BEN]])
        yield World(ForgeProvider.GITEA, f"{base}/{repository}", f"{base}/api/v1/repos/{repository}", tokens, names)
        client.delete(f"/repos/{repository}").raise_for_status()
        for who in (ANA, BEN):
            client.delete(f"/admin/users/{names[who]}", params={"purge": "true"}).raise_for_status()


def _person(client: httpx.Client, name: str) -> str:
    person = {"username": name, "password": PASSWORD, "email": f"{name}@example.invalid", "must_change_password": False}
    client.post("/admin/users", json=person).raise_for_status()
    scopes = {"name": "suite", "scopes": ["write:repository", "write:issue", "read:user"]}
    with httpx.Client(base_url=client.base_url, auth=(name, PASSWORD), timeout=30, trust_env=False) as theirs:
        return str(theirs.post(f"/users/{name}/tokens", json=scopes).raise_for_status().json()["sha1"])


def _repository(client: httpx.Client, repository: str, writers: list[str]) -> None:
    made = client.post("/user/repos", json={"name": repository.partition("/")[2], "default_branch": "main"})
    assert made.status_code == HTTPStatus.CREATED, made.text
    client.patch(f"/repos/{repository}", json={"allow_manual_merge": True}).raise_for_status()
    for each in writers:
        client.put(f"/repos/{repository}/collaborators/{each}", json={"permission": "write"}).raise_for_status()


WORLDS: dict[str, Callable[[Path], AbstractContextManager[World]]] = {
    "gitea-double": gitea_double,
    "github-double": github_double,
}
if REAL_GITEA:
    WORLDS["gitea"] = real_gitea
