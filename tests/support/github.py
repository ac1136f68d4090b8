"""The comments of pull requests at GitHub's REST API, in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "a-token-of-the-job"
_OF_ISSUE = re.compile(r"/repos/acme/intents/issues/(\d+)/comments")
_COMMENT = re.compile(r"/repos/acme/intents/issues/comments/(\d+)")


@dataclass
class GitHub:
    """What a pull request's comments are, and what was asked for."""

    address: str = ""
    comments: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """`POST /repos/…`, a line a request that changes something."""
    read_only: bool = False
    """Whether the token is one of a pull request from a fork."""

    def add(self, body: str, author: str = "User") -> dict[str, Any]:
        """Add a comment of a person, or of a Bot."""
        comment = {"id": 100 + len(self.comments), "body": body, "user": {"type": author}}
        self.comments.append(comment)
        return comment

    def answer(self, method: str, target: str, content: Any) -> tuple[HTTPStatus, Any]:
        """Answer as https://docs.github.com/rest/issues/comments says."""
        url = urlsplit(target)
        if method != "GET":
            self.asked.append(f"{method} {url.path}")
            if self.read_only:
                return HTTPStatus.FORBIDDEN, {"message": "Resource not accessible by integration"}
        if method == "GET" and _OF_ISSUE.fullmatch(url.path):
            asked = parse_qs(url.query)
            size, page = int(asked["per_page"][0]), int(asked["page"][0])
            return HTTPStatus.OK, self.comments[(page - 1) * size : page * size]
        if method == "POST" and _OF_ISSUE.fullmatch(url.path):
            return HTTPStatus.CREATED, self.add(content["body"], "Bot")
        if method == "PATCH" and (found := _COMMENT.fullmatch(url.path)):
            comment = next(each for each in self.comments if each["id"] == int(found[1]))
            comment["body"] = content["body"]
            return HTTPStatus.OK, comment
        return HTTPStatus.NOT_FOUND, {"message": "Not Found"}


@contextmanager
def github() -> Iterator[GitHub]:
    """Serve a GitHub of its own on a free port."""
    state = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve()

        do_POST = do_PATCH = do_GET  # noqa: N815 - the names http.server calls

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers["Authorization"] == f"Bearer {TOKEN}":
                status, answer = state.answer(self.command, self.path, json.loads(body) if body else None)
            else:
                status, answer = HTTPStatus.UNAUTHORIZED, {"message": "Bad credentials"}
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's signature
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
