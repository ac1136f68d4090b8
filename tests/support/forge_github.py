"""GitHub's REST API as far as it is used, version 2022-11-28: https://docs.github.com/rest."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tests.support.forge_double import (
    BOT,
    MAIN,
    NAME,
    OWNER,
    TOKENS,
    Answer,
    Asked,
    Forge,
    Pull,
    Review,
    signature,
    stamp,
    status_of,
)
from tests.support.forge_gitea import edit

REPO = f"/repos/{OWNER}/{NAME}"
INSTALLATION = 4711
TOKEN_LASTS = timedelta(hours=1)
LONGEST_JWT_SECONDS = 600
RESULT = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}


@dataclass
class GitHubDialect:
    """GitHub Enterprise Server's addresses, github.com's answers."""

    prefix: str = "/api/v3"
    app_id: str = ""
    app_key: RSAPublicKey | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    issued: dict[str, datetime] = field(default_factory=dict)
    """The installation tokens, by when they end."""
    check_runs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    limit: int = 5000
    used: int = 0

    def user_of(self, _: Forge, authorization: str) -> str | None:
        """Return whose token it is: a person's, an installation's, or the App's own."""
        token = authorization.partition(" ")[2]
        if token in self.issued:
            return f"{self.app_id}[bot]" if self.issued[token] > self.now() else None
        if self.app_key is not None and token.count(".") == 2:
            return "app" if self._is_app(token) else None
        return next((user for user, known in TOKENS.items() if known == token), None)

    def _is_app(self, token: str) -> bool:
        assert self.app_key is not None
        try:
            claims = jwt.decode(
                token,
                self.app_key,
                algorithms=["RS256"],
                issuer=self.app_id,
                options={"verify_exp": False, "verify_iat": False},  # by the machine's clock; below by the forge's own
            )
        except jwt.InvalidTokenError:
            return False
        now = self.now().timestamp()
        return bool(claims["iat"] <= now < claims["exp"] <= now + LONGEST_JWT_SECONDS)

    def refuse(self) -> Answer:
        """Return the answer to a token that nobody has."""
        return said(HTTPStatus.UNAUTHORIZED, "Bad credentials")

    def answer(self, forge: Forge, asked: Asked) -> Answer:
        """Answer one request; what has not changed since the ETag that is asked with costs nothing."""
        for method, pattern, route in self._routes():
            if method == asked.method and (found := re.fullmatch(pattern, asked.path)):
                return self._limited(asked, route(forge, asked, *found.groups()))
        return said(HTTPStatus.NOT_FOUND, "Not Found")

    def _limited(self, asked: Asked, answer: Answer) -> Answer:
        etag = f'W/"{hashlib.sha256(json.dumps(answer.body).encode()).hexdigest()}"'
        if asked.method == "GET" and asked.headers.get("if-none-match") == etag:
            answer = Answer(HTTPStatus.NOT_MODIFIED)
        else:
            self.used += 1
        reset = int((datetime.now(UTC) + timedelta(minutes=30)).timestamp())
        rate = {"X-RateLimit-Limit": self.limit, "X-RateLimit-Remaining": self.limit - self.used}
        headers = {key: str(value) for key, value in {**rate, "X-RateLimit-Reset": reset}.items()}
        found = {"ETag": etag} if answer.status == HTTPStatus.OK else {}
        return Answer(answer.status, answer.body, {**headers, **found, **answer.headers})

    def _routes(self) -> list[tuple[str, str, Callable[..., Answer]]]:
        pull = rf"{REPO}/pulls/(\d+)"
        return [
            ("GET", f"{REPO}/pulls", pulls),
            ("POST", f"{REPO}/pulls", open_pull),
            ("GET", pull, lambda forge, _, number: one(forge, number, shown)),
            ("PATCH", pull, edit_pull),
            ("PUT", f"{pull}/merge", merge_pull),
            ("GET", f"{pull}/reviews", reviews),
            ("POST", f"{pull}/reviews", review),
            ("PUT", rf"{pull}/reviews/(\d+)/dismissals", dismiss),
            ("POST", rf"{REPO}/issues/(\d+)/comments", comment),
            ("GET", rf"{REPO}/issues/(\d+)", issue),
            ("POST", rf"{REPO}/statuses/(\w+)", set_status),
            ("GET", rf"{REPO}/commits/(\w+)/status", status),
            ("GET", rf"{REPO}/commits/(\w+)/check-runs", self._runs),
            ("GET", f"{REPO}/installation", lambda *_: Answer(HTTPStatus.OK, {"id": INSTALLATION})),
            ("POST", rf"/app/installations/{INSTALLATION}/access_tokens", self._issue),
        ]

    def _runs(self, _: Forge, __: Asked, commit: str) -> Answer:
        found = self.check_runs.get(commit, [])
        return Answer(HTTPStatus.OK, {"total_count": len(found), "check_runs": found})

    def _issue(self, _: Forge, asked: Asked) -> Answer:
        if asked.user != "app":
            return said(HTTPStatus.UNAUTHORIZED, "A JSON web token could not be decoded")
        if asked.body.get("repositories") != [NAME]:
            return said(HTTPStatus.UNPROCESSABLE_ENTITY, "There is at least one repository that does not exist")
        token, ends = f"ghs_{uuid4().hex}", self.now() + TOKEN_LASTS
        self.issued[token] = ends
        return Answer(HTTPStatus.CREATED, {"token": token, "expires_at": stamp(ends), "permissions": {}})

    def pushed(self, forge: Forge) -> None:
        """Mark as merged what main has got: GitHub looks at every push for that."""
        for each in forge.pulls:
            if each.state == "open" and (found := forge.pull(each.number)) and forge.contains(found.head):
                each.end(BOT, found.head)

    def event(self, forge: Forge, name: str) -> tuple[bytes, Mapping[str, str]]:
        """Return body and headers of a webhook's delivery, signed."""
        body = json.dumps({"ref": MAIN, "repository": {"full_name": f"{OWNER}/{NAME}"}}).encode()
        return body, {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/7a65dd8",
            "X-GitHub-Delivery": str(uuid4()),
            "X-GitHub-Event": name,
            "X-Hub-Signature-256": f"sha256={signature(forge.hook_secret, body)}",
        }


def said(status: HTTPStatus, message: str, **more: object) -> Answer:
    return Answer(
        status, {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status), **more}
    )


def invalid(message: str) -> Answer:
    errors = [{"resource": "PullRequest", "code": "custom", "message": message}]
    return said(HTTPStatus.UNPROCESSABLE_ENTITY, "Validation Failed", errors=errors)


def shown(forge: Forge, pull: Pull) -> dict[str, Any]:
    repo = {"full_name": f"{OWNER}/{NAME}"}
    return {
        "number": pull.number,
        "state": pull.state,
        "title": pull.title,
        "body": pull.body,
        "user": {"login": pull.author},
        "draft": False,
        "html_url": f"{forge.url}/pull/{pull.number}",
        "head": {"ref": pull.branch, "label": f"{OWNER}:{pull.branch}", "sha": pull.head, "repo": repo},
        "base": {"ref": "main", "label": f"{OWNER}:main", "sha": pull.base, "repo": repo},
        "merged": pull.merged_as is not None,
        "merged_at": stamp(pull.updated_at) if pull.merged_as else None,
        "merged_by": {"login": pull.ended_by} if pull.merged_as else None,
        "updated_at": stamp(pull.updated_at),
        "merge_commit_sha": pull.merged_as,
    }


def in_list(forge: Forge, pull: Pull) -> dict[str, Any]:
    """Return a pull request as lists have it: without `merged` and `merged_by`."""
    return {key: value for key, value in shown(forge, pull).items() if key not in {"merged", "merged_by"}}


def one(forge: Forge, number: str, show: Callable[[Forge, Pull], dict[str, Any]]) -> Answer:
    found = forge.pull(int(number))
    return said(HTTPStatus.NOT_FOUND, "Not Found") if found is None else Answer(HTTPStatus.OK, show(forge, found))


def page(forge: Forge, asked: Asked, rows: list[dict[str, Any]]) -> Answer:
    size, number = int(asked.query.get("per_page", 30)), int(asked.query.get("page", 1))
    begin, end = (number - 1) * size, number * size
    following = f"{forge.address}/api/v3{asked.path}?per_page={size}&page={number + 1}"
    headers = {"Link": f'<{following}>; rel="next"'} if end < len(rows) else {}
    return Answer(HTTPStatus.OK, rows[begin:end], headers)


def pulls(forge: Forge, asked: Asked) -> Answer:
    """Return pull requests, the newest first unless asked otherwise."""
    branch = asked.query.get("head", "").removeprefix(f"{OWNER}:")
    found = [
        each for each in forge.pulls if branch in {"", each.branch} and asked.query["state"] in {"all", each.state}
    ]
    ordered = found if asked.query.get("direction") == "asc" else found[::-1]
    return page(forge, asked, [in_list(forge, pull) for each in ordered if (pull := forge.pull(each.number))])


def issue(forge: Forge, _: Asked, number: str) -> Answer:
    """Return a pull request as an issue, which tells who closed it."""
    found = forge.pull(int(number))
    if found is None:
        return said(HTTPStatus.NOT_FOUND, "Not Found")
    closed_by = {"login": found.ended_by} if found.ended_by else None
    return Answer(HTTPStatus.OK, {"number": found.number, "state": found.state, "closed_by": closed_by})


def open_pull(forge: Forge, asked: Asked) -> Answer:
    branch = asked.body["head"]
    if forge.open_of(branch):
        return invalid(f"A pull request already exists for {OWNER}:{branch}.")
    head = forge.head(f"refs/heads/{branch}")
    if head is None:
        errors = [{"resource": "PullRequest", "field": "head", "code": "invalid"}]
        return said(HTTPStatus.UNPROCESSABLE_ENTITY, "Validation Failed", errors=errors)
    if forge.contains(head):
        return invalid(f"No commits between main and {branch}")
    made = forge.add_pull(branch, asked.body["title"], asked.body["body"], asked.user)
    return Answer(HTTPStatus.CREATED, shown(forge, made))


def edit_pull(forge: Forge, asked: Asked, number: str) -> Answer:
    found = forge.pull(int(number))
    if found is None:
        return said(HTTPStatus.NOT_FOUND, "Not Found")
    if len(asked.body.get("body", "")) > 65_536:
        return invalid("body is too long (maximum is 65536 characters)")
    edit(found, asked)
    return Answer(HTTPStatus.OK, shown(forge, found))


def merge_pull(forge: Forge, asked: Asked, number: str) -> Answer:
    found = forge.pull(int(number))
    if found is None or found.state != "open":
        return said(HTTPStatus.METHOD_NOT_ALLOWED, "Pull Request is not mergeable")
    if asked.body.get("sha", found.head) != found.head:
        return said(HTTPStatus.CONFLICT, "Head branch was modified. Review and try the merge again.")
    made = forge.land(found, asked.body["merge_method"], f"{found.title} (#{number})", asked.user)
    if made is None:
        return said(HTTPStatus.METHOD_NOT_ALLOWED, "Pull Request is not mergeable")
    return Answer(HTTPStatus.OK, {"sha": made, "merged": True, "message": "Pull Request successfully merged"})


def review_shown(each: Review) -> dict[str, Any]:
    return {
        "id": each.id,
        "user": {"login": each.user},
        "state": "DISMISSED" if each.dismissed else each.state,
        "commit_id": each.commit,
        "submitted_at": stamp(each.at),
    }


def reviews(forge: Forge, asked: Asked, number: str) -> Answer:
    found = forge.pull(int(number))
    if found is None:
        return said(HTTPStatus.NOT_FOUND, "Not Found")
    return page(forge, asked, [review_shown(each) for each in found.reviews])


def review(forge: Forge, asked: Asked, number: str) -> Answer:
    found = forge.pull(int(number))
    if found is None:
        return said(HTTPStatus.NOT_FOUND, "Not Found")
    if found.author == asked.user and asked.body["event"] == "APPROVE":
        errors = ["Can not approve your own pull request"]
        return said(HTTPStatus.UNPROCESSABLE_ENTITY, "Unprocessable Entity", errors=errors)
    made = Review(len(found.reviews) + 1, asked.user, RESULT[asked.body["event"]], found.head, datetime.now(UTC))
    found.reviews.append(made)
    found.touch()
    return Answer(HTTPStatus.OK, review_shown(made))


def dismiss(forge: Forge, _: Asked, number: str, review_id: str) -> Answer:
    found = forge.pull(int(number))
    assert found is not None
    made = found.reviews[int(review_id) - 1]
    made.dismissed = True
    found.touch()
    return Answer(HTTPStatus.OK, review_shown(made))


def comment(forge: Forge, asked: Asked, number: str) -> Answer:
    found = forge.pull(int(number))
    if found is None:
        return said(HTTPStatus.NOT_FOUND, "Not Found")
    found.comments.append(asked.body["body"])
    found.touch()
    return Answer(HTTPStatus.CREATED, {"id": len(found.comments), "body": asked.body["body"]})


def set_status(forge: Forge, asked: Asked, commit: str) -> Answer:
    if len(asked.body["description"]) > 140:
        errors = [{"resource": "Status", "field": "description", "code": "custom"}]
        return said(HTTPStatus.UNPROCESSABLE_ENTITY, "Validation Failed", errors=errors)
    made = status_of(asked, "state")
    forge.statuses.setdefault(commit, []).append(made)
    return Answer(HTTPStatus.CREATED, made)


def status(forge: Forge, asked: Asked, commit: str) -> Answer:
    newest = {each["context"]: each for each in forge.statuses.get(commit, [])}
    rows = page(forge, asked, list(newest.values()))
    body = {"state": "pending", "sha": commit, "total_count": len(newest), "statuses": rows.body}
    return Answer(HTTPStatus.OK, body, rows.headers)
