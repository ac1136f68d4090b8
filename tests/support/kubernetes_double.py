"""An API server on loopback: what the drivers ask of one, as Kubernetes 1.36 answers.

Objects with resourceVersion and generation, lists in pages, watches with bookmarks that go on from a version or answer
410 once it is forgotten, merge patches, tokens. What nobody asks for is not here.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Thread
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import yaml

Object = dict[str, Any]

PATHS = {
    "Application": "/apis/argoproj.io/v1alpha1/{}/applications",
    "ApplicationSet": "/apis/argoproj.io/v1alpha1/{}/applicationsets",
    "Deployment": "/apis/apps/v1/{}/deployments",
    "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/{}/httproutes",
    "InferenceService": "/apis/serving.kserve.io/v1beta1/{}/inferenceservices",
    "Pod": "/api/v1/{}/pods",
}
"""Where each kind is, with a place for `namespaces/<namespace>`."""
_BOOKMARK_SECONDS = 0.2
"""A real server sends one about every minute."""
_SERVERS = ("resourceVersion", "generation", "uid", "creationTimestamp")


@dataclass(frozen=True)
class Event:
    """One change of one object."""

    version: int
    kind: str
    type: str
    object: Object


@dataclass
class KubernetesDouble:
    """Entered, it listens; `kubeconfig` says how to reach it."""

    folder: Path
    page: int = 2
    """How many objects a page of a list has, whatever is asked for."""
    token: str = "the-token"
    down: bool = False
    refused: str = ""
    """A path that nobody may ask for."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Methods and paths."""
    _objects: dict[tuple[str, str, str], Object] = field(default_factory=dict)
    _events: list[Event] = field(default_factory=list)
    _version: int = 1
    _forgotten: int = 0
    """The newest version that no watch can go on from."""
    _line: int = 0
    """Another number cuts every watch."""
    _changed: Condition = field(default_factory=Condition)

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"api": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.write_kubeconfig()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._server.shutdown()
        self._server.server_close()

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig.yaml"

    def write_kubeconfig(self) -> None:
        """Write the credentials as they are now."""
        address = f"http://127.0.0.1:{self._server.server_address[1]}"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "double",
            "clusters": [{"name": "double", "cluster": {"server": address}}],
            "contexts": [{"name": "double", "context": {"cluster": "double", "user": "double"}}],
            "users": [{"name": "double", "user": {"token": self.token}}],
        }
        self.kubeconfig.write_text(yaml.safe_dump(document))

    def put(self, raw: Mapping[str, Any]) -> Object:
        """Store an object; another spec is another generation, and what is the same writes nothing."""
        with self._changed:
            key = _key(raw)
            before = self._objects.get(key)
            found = copy.deepcopy(dict(raw))
            if before is not None and _bare(before) == _bare(found):
                return before
            same = before is not None and before.get("spec") == found.get("spec")
            generation = before["metadata"]["generation"] + (not same) if before else 1
            found["metadata"] |= {"generation": generation, "uid": f"uid-of-{'-'.join(key)}"}
            return self._store(key, found, "MODIFIED" if before else "ADDED")

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """Return an object as it is stored."""
        with self._changed:
            return copy.deepcopy(self._objects.get((kind, namespace, name)))

    def listed(self, kind: str, namespace: str = "") -> list[Object]:
        """Return the objects of a kind, in one namespace or all."""
        with self._changed:
            found = [
                each for key, each in sorted(self._objects.items()) if key[0] == kind and namespace in {"", key[1]}
            ]
            return copy.deepcopy(found)

    def delete(self, raw: Mapping[str, Any]) -> None:
        """Take an object away; one that is gone is no error."""
        with self._changed:
            found = self._objects.pop(_key(raw), None)
            if found is not None:
                self._note(_key(raw)[0], "DELETED", found)

    def patch(self, kind: str, namespace: str, name: str, body: Mapping[str, Any]) -> Object | None:
        """Merge into an object."""
        before = self.get(kind, namespace, name)
        return None if before is None else self.put(_merged(before, body))

    def cut(self) -> None:
        """End every watch, in the middle of it."""
        with self._changed:
            self._line += 1
            self._changed.notify_all()

    def forget(self) -> None:
        """Let no watch go on from where it was, as after a compaction."""
        with self._changed:
            self._forgotten = self._version
            self._version += 1
            self._events.clear()
        self.cut()

    def page_of(self, kind: str, query: Mapping[str, str], namespace: str) -> Object:
        """Return a page of a list."""
        with self._changed:
            found = [each for each in self.listed(kind, namespace) if _selects(query.get("labelSelector", ""), each)]
            start = int(query.get("continue", "0"))
            more = {"continue": str(start + self.page)} if len(found) > start + self.page else {}
            metadata = {"resourceVersion": str(self._version), **more}
            return {"kind": f"{kind}List", "metadata": metadata, "items": found[start : start + self.page]}

    def watched(self, kind: str, query: Mapping[str, str], namespace: str) -> Iterator[Object]:
        """Yield a watch's events until it is cut; what is forgotten is an ERROR, as a real server sends it."""
        since, line = int(query["resourceVersion"]), self._line
        while self._line == line and not self.down:
            with self._changed:
                if since < self._forgotten:
                    yield {"type": "ERROR", "object": _status(HTTPStatus.GONE, "too old resource version")}
                    return
                new = [each for each in self._events if each.version > since]
                since = self._version
                if not new:
                    self._changed.wait(_BOOKMARK_SECONDS)
            for each in new:
                if each.kind == kind and _is_in(each.object, namespace, query.get("labelSelector", "")):
                    yield {"type": each.type, "object": each.object}
            if not new:
                yield {"type": "BOOKMARK", "object": {"kind": kind, "metadata": {"resourceVersion": str(since)}}}

    def _store(self, key: tuple[str, str, str], found: Object, event: str) -> Object:
        self._objects[key] = found
        self._note(key[0], event, found)
        return found

    def _note(self, kind: str, event: str, found: Object) -> None:
        self._version += 1
        found["metadata"]["resourceVersion"] = str(self._version)
        self._events.append(Event(self._version, kind, event, copy.deepcopy(found)))
        self._changed.notify_all()


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    api: KubernetesDouble
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def handle(self) -> None:
        """Serve a connection; one that a client cuts is no matter."""
        with suppress(OSError):
            super().handle()

    def do_GET(self) -> None:
        parts, query = urlsplit(self.path), {key: each[0] for key, each in parse_qs(urlsplit(self.path).query).items()}
        found = self._admitted(parts.path) and _named(parts.path)
        if not found:
            return
        kind, namespace, _ = found
        if query.get("watch"):
            self._stream(self.api.watched(kind, query, namespace))
        else:
            self._answer(HTTPStatus.OK, self.api.page_of(kind, query, namespace))

    def do_PATCH(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = urlsplit(self.path).path
        found = self._admitted(path) and _named(path)
        if not found:
            return
        assert self.headers["Content-Type"] == "application/merge-patch+json"
        stored = self.api.patch(*found, body)
        if stored is None:
            self._answer(HTTPStatus.NOT_FOUND, _status(HTTPStatus.NOT_FOUND, f"{found[2]} not found"))
        else:
            self._answer(HTTPStatus.OK, stored)

    def _admitted(self, path: str) -> bool:
        """Say whether a request is served; otherwise it is answered."""
        self.api.asked.append((self.command, path))
        if self.api.down:
            self.close_connection = True
            return False
        if self.headers["Authorization"] != f"Bearer {self.api.token}":
            self._answer(HTTPStatus.UNAUTHORIZED, _status(HTTPStatus.UNAUTHORIZED, "Unauthorized"))
            return False
        if self.api.refused and path.startswith(self.api.refused):
            self._answer(HTTPStatus.FORBIDDEN, _status(HTTPStatus.FORBIDDEN, f'cannot list resource at "{path}"'))
            return False
        if _named(path) is None:
            self._answer(HTTPStatus.NOT_FOUND, _status(HTTPStatus.NOT_FOUND, "not found"))
            return False
        return True

    def _answer(self, status: HTTPStatus, body: Object) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _stream(self, events: Iterator[Object]) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        try:
            for each in events:
                line = json.dumps(each).encode() + b"\n"
                half = len(line) // 2  # a chunk ends where it ends, not with a line
                for piece in (line[:half], line[half:]):
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
        except OSError:
            return


def _named(path: str) -> tuple[str, str, str] | None:
    """Return the kind, the namespace and the name that a path is of, as far as it says."""
    words = path.strip("/").split("/")
    namespace = words[words.index("namespaces") + 1] if "namespaces" in words else ""
    for kind, each in PATHS.items():
        for place in (f"namespaces/{namespace}/", "") if namespace else ("",):
            base = each.format("@").replace("@/", place)
            if path == base or path.startswith(f"{base}/"):
                return kind, namespace, path.removeprefix(base).strip("/")
    return None


def _key(raw: Mapping[str, Any]) -> tuple[str, str, str]:
    return raw["kind"], raw["metadata"].get("namespace", ""), raw["metadata"]["name"]


def _bare(raw: Object) -> Object:
    metadata = {key: each for key, each in raw["metadata"].items() if key not in _SERVERS}
    return {**raw, "metadata": metadata}


def _merged(before: Any, patch: Any) -> Any:
    """Return RFC 7396's merge."""
    if not isinstance(patch, Mapping) or not isinstance(before, Mapping):
        return patch
    kept = {key: each for key, each in before.items() if key not in patch}
    return kept | {key: _merged(before.get(key), each) for key, each in patch.items() if each is not None}


def _selects(selector: str, raw: Object) -> bool:
    labels = raw["metadata"].get("labels", {})
    key, _, value = selector.partition("=")
    return not selector or (key in labels and value in {"", labels[key]})


def _is_in(raw: Object, namespace: str, selector: str) -> bool:
    return namespace in {"", raw["metadata"].get("namespace", "")} and _selects(selector, raw)


def _status(status: HTTPStatus, message: str) -> Object:
    return {"kind": "Status", "status": "Failure", "message": message, "code": int(status)}
