"""Gitea's API as far as it is used, as version 1.26 answers: `/api/swagger` of any Gitea."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from tests.support.forge_double import (
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

REPO = f"/repos/{OWNER}/{NAME}"
MOST_ITEMS = 50
RESULT = {"APPROVED": "APPROVED", "REQUEST_CHANGES": "REQUEST_CHANGES", "COMMENT": "COMMENT"}


@dataclass
class GiteaDialect:
    """A Gitea as it is installed: pull requests are marked as merged by hand only where the repository allows it."""

    prefix: str = "/api/v1"
    allow_manual_merge: bool = True

    def user_of(self, _: Forge, authorization: str) -> str | None:
        """Return whose token it is."""
        token = authorization.partition(" ")[2]
        return next((user for user, known in TOKENS.items() if known == token), None)

    def refuse(self) -> Answer:
        """Return the answer to a token that nobody has."""
        return said(HTTPStatus.UNAUTHORIZED, "invalid username, password or token")

    def answer(self, forge: Forge, asked: Asked) -> Answer:
        """Answer one request."""
        for method, pattern, route in self._routes():
            if method == asked.method and (found := re.fullmatch(pattern, asked.path)):
                return route(forge, asked, *found.groups())
        return said(HTTPStatus.NOT_FOUND, "not found")

    def _routes(self) -> list[tuple[str, str, Callable[..., Answer]]]:
        pull = rf"{REPO}/pulls/(\d+)"
        return [
            ("GET", f"{REPO}/pulls", pulls),
            ("POST", f"{REPO}/pulls", open_pull),
            ("GET", pull, one),
            ("GET", rf"{REPO}/pulls/main/(.+)", of_branch),
            ("PATCH", pull, edit_pull),
            ("POST", f"{pull}/merge", self._merge),
            ("GET", f"{pull}/reviews", reviews),
            ("POST", f"{pull}/reviews", review),
            ("POST", rf"{pull}/reviews/(\d+)/dismissals", dismiss),
            ("POST", rf"{REPO}/issues/(\d+)/comments", comment),
            ("GET", rf"{REPO}/issues/(\d+)/timeline", timeline),
            ("POST", rf"{REPO}/statuses/(\w+)", set_status),
            ("GET", rf"{REPO}/commits/(\w+)/status", status),
        ]

    def _merge(self, forge: Forge, asked: Asked, number: str) -> Answer:
        found = forge.pull(int(number))
        if found is None:
            return said(HTTPStatus.NOT_FOUND, "not found")
        if found.state != "open":
            return said(HTTPStatus.METHOD_NOT_ALLOWED, "The PR is already merged")
        if asked.body.get("head_commit_id", found.head) != found.head:
            return said(HTTPStatus.CONFLICT, "head out of date")
        if asked.body["Do"] == "manually-merged":
            return self._merged_by_hand(forge, found, asked)
        made = forge.land(found, asked.body["Do"], f"{found.title} (#{number})", asked.user)
        return Answer(HTTPStatus.OK) if made else said(HTTPStatus.CONFLICT, "merge conflict")

    def _merged_by_hand(self, forge: Forge, pull: Pull, asked: Asked) -> Answer:
        if not self.allow_manual_merge:
            detail = "manually-merged is not allowed an allowed merge style for this repository"
            return said(HTTPStatus.METHOD_NOT_ALLOWED, detail)
        commit = asked.body["MergeCommitID"]
        if not forge.contains(commit):
            return said(HTTPStatus.CONFLICT, "Wrong commit ID")
        pull.end(asked.user, commit)
        return Answer(HTTPStatus.OK)

    def pushed(self, forge: Forge) -> None:
        """Do nothing: `autodetect_manual_merge` is off where nobody turns it on."""

    def event(self, forge: Forge, name: str) -> tuple[bytes, Mapping[str, str]]:
        """Return body and headers of a webhook's delivery, signed."""
        body = json.dumps({"ref": MAIN, "repository": {"full_name": f"{OWNER}/{NAME}"}}).encode()
        signed = signature(forge.hook_secret, body)
        return body, {
            "Content-Type": "application/json",
            "X-Gitea-Delivery": str(uuid4()),
            "X-Gitea-Event": name,
            "X-Gitea-Signature": signed,
            "X-Hub-Signature-256": f"sha256={signed}",
        }


def said(status: HTTPStatus, message: str) -> Answer:
    return Answer(status, {"message": message, "url": "http://127.0.0.1/api/swagger"})


def shown(forge: Forge, pull: Pull) -> dict[str, Any]:
    repo = {"full_name": f"{OWNER}/{NAME}"}
    return {
        "id": pull.number,
        "number": pull.number,
        "state": pull.state,
        "title": pull.title,
        "body": pull.body,
        "user": {"login": pull.author},
        "draft": False,
        "html_url": f"{forge.url}/pulls/{pull.number}",
        "mergeable": True,
        "merged": pull.merged_as is not None,
        "merged_at": stamp(pull.updated_at) if pull.merged_as else None,
        "merged_by": {"login": pull.ended_by} if pull.merged_as else None,
        "updated_at": stamp(pull.updated_at),
        "merge_commit_sha": pull.merged_as,
        "base": {"label": "main", "ref": "main", "sha": pull.base, "repo_id": 1, "repo": repo},
        "head": {"label": pull.branch, "ref": pull.branch, "sha": pull.head, "repo_id": 1, "repo": repo},
    }


def one(forge: Forge, _: Asked, number: str) -> Answer:
    found = forge.pull(int(number))
    return said(HTTPStatus.NOT_FOUND, "not found") if found is None else Answer(HTTPStatus.OK, shown(forge, found))


def of_branch(forge: Forge, _: Asked, branch: str) -> Answer:
    """Return any pull request of a branch: of several, an older one."""
    found = next((each for each in forge.pulls if each.branch == unquote(branch)), None)
    return said(HTTPStatus.NOT_FOUND, "not found") if found is None else one(forge, _, str(found.number))


def page(forge: Forge, asked: Asked, rows: list[dict[str, Any]]) -> Answer:
    size, number = min(MOST_ITEMS, int(asked.query.get("limit", 30))), int(asked.query.get("page", 1))
    begin, end = (number - 1) * size, number * size
    following = f"{forge.address}/api/v1{asked.path}?limit={size}&page={number + 1}"
    links = {"Link": f'<{following}>; rel="next",<{following}>; rel="last"'} if end < len(rows) else {}
    return Answer(HTTPStatus.OK, rows[begin:end], {"X-Total-Count": str(len(rows)), **links})


def pulls(forge: Forge, asked: Asked) -> Answer:
    """Return pull requests, the newest first unless asked otherwise."""
    numbers = [each.number for each in forge.pulls if asked.query["state"] in {"all", each.state}]
    ordered = numbers if asked.query.get("sort") == "oldest" else numbers[::-1]
    return page(forge, asked, [shown(forge, each) for number in ordered if (each := forge.pull(number))])


def open_pull(forge: Forge, asked: Asked) -> Answer:
    branch = asked.body["head"]
    if forge.open_of(branch):
        return said(HTTPStatus.CONFLICT, f"pull request already exists for these targets [head_branch: {branch}]")
    if forge.head(f"refs/heads/{branch}") is None:
        return said(HTTPStatus.NOT_FOUND, "not found")
    made = forge.add_pull(branch, asked.body["title"], asked.body["body"], asked.user)
    return Answer(HTTPStatus.CREATED, shown(forge, made))


def edit_pull(forge: Forge, asked: Asked, number: str) -> Answer:
    found = forge.pull(int(number))
    if found is None:
        return said(HTTPStatus.NOT_FOUND, "not found")
    if found.merged_as and "state" in asked.body:
        return said(HTTPStatus.PRECONDITION_FAILED, "cannot change state of this pull request, it was already merged")
    edit(found, asked)
    return Answer(HTTPStatus.CREATED, shown(forge, found))


def edit(pull: Pull, asked: Asked) -> None:
    """Let a person change the text of a pull request, or close it."""
    for key, value in asked.body.items():
        setattr(pull, key, value)
    pull.ended_by = asked.user if pull.state == "closed" else None
    pull.touch()


def review_shown(pull: Pull, each: Review) -> dict[str, Any]:
    return {
        "id": each.id,
        "user": {"login": each.user},
        "state": each.state,
        "commit_id": each.commit,
        "stale": each.commit != pull.head,
        "official": True,
        "dismissed": each.dismissed,
        "submitted_at": stamp(each.at),
    }


def reviews(forge: Forge, asked: Asked, number: str) -> Answer:
    found = forge.pull(int(number))
    if found is None:
        return said(HTTPStatus.NOT_FOUND, "not found")
    return page(forge, asked, [review_shown(found, each) for each in found.reviews])


def review(forge: Forge, asked: Asked, number: str) -> Answer:
    found = forge.pull(int(number))
    if found is None:
        return said(HTTPStatus.NOT_FOUND, "not found")
    if found.author == asked.user and asked.body["event"] == "APPROVED":
        return said(HTTPStatus.UNPROCESSABLE_ENTITY, "approve your own pull is not allowed")
    state = RESULT[asked.body["event"]]
    made = Review(len(found.reviews) + 1, asked.user, state, found.head, datetime.now(UTC))
    found.reviews.append(made)
    found.touch()
    return Answer(HTTPStatus.OK, review_shown(found, made))


def dismiss(forge: Forge, _: Asked, number: str, review_id: str) -> Answer:
    found = forge.pull(int(number))
    assert found is not None
    made = found.reviews[int(review_id) - 1]
    made.dismissed = True
    found.touch()
    return Answer(HTTPStatus.OK, review_shown(found, made))


def comment(forge: Forge, asked: Asked, number: str) -> Answer:
    found = forge.pull(int(number))
    if found is None:
        return said(HTTPStatus.NOT_FOUND, "not found")
    found.comments.append(asked.body["body"])
    found.touch()
    return Answer(HTTPStatus.CREATED, {"id": len(found.comments), "body": asked.body["body"]})


def timeline(forge: Forge, asked: Asked, number: str) -> Answer:
    found = forge.pull(int(number))
    if found is None:
        return said(HTTPStatus.NOT_FOUND, "not found")
    events = [("pull_push", found.author), *([("close", found.ended_by)] if found.state == "closed" else [])]
    rows = [{"id": id_, "type": type_, "user": {"login": user}} for id_, (type_, user) in enumerate(events)]
    return page(forge, asked, rows)


def set_status(forge: Forge, asked: Asked, commit: str) -> Answer:
    made = status_of(asked, "status")
    forge.statuses.setdefault(commit, []).append(made)
    return Answer(HTTPStatus.CREATED, made)


def status(forge: Forge, asked: Asked, commit: str) -> Answer:
    newest = {each["context"]: each for each in forge.statuses.get(commit, [])}
    rows = page(forge, asked, list(newest.values()))
    body = {"state": "pending", "sha": commit, "total_count": len(newest), "statuses": rows.body}
    return Answer(HTTPStatus.OK, body, rows.headers)
