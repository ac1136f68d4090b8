"""Gitea: pull requests, reviews and statuses of the API, version 1, as Gitea 1.26 serves it at `/api/swagger`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from reconciler.planning.forge import Check, PullRequest, PullState
from reconciler.stores.forges.client import ForgeClient, Token
from reconciler.stores.forges.pull_requests import PullRequests, status_from
from reconciler.stores.forges.pulls import (
    account,
    is_change,
    newest_of,
    pull_from,
    repository_of,
)

PAGE = "limit=50"
"""What an instance gives at once, unless its settings say otherwise (`MAX_RESPONSE_ITEMS`)."""
LANDED = "This change is on main as {}."


def api_of(url: str) -> str:
    """Return the address of a repository in the API; an instance may lie below a path."""
    host, prefix, repository = repository_of(url)
    return f"{host}{prefix}/api/v1/repos/{repository}"


class GiteaForge(PullRequests):
    """The Forge port."""

    ALREADY_OPEN = HTTPStatus.CONFLICT
    PAGE = PAGE
    VERDICTS = frozenset({"APPROVED", "REQUEST_CHANGES"})

    def __init__(self, url: str, token: Token) -> None:
        """Act in the repository at `url` as the owner of the token."""
        super().__init__(ForgeClient(api_of(url), token, "token"))

    async def list(self) -> Sequence[PullRequest]:
        """Return the open pull requests, oldest first."""
        rows = await self._client.pages(f"/pulls?state=open&sort=oldest&{PAGE}", poll=True)
        return [pull_from(row) for row in rows if is_change(row)]

    async def merge(self, number: int, head: str) -> PullState:
        """Mark a pull request as merged by hand; close it with a comment where the repository allows no such marks."""
        pull = await self._at_head(number, head)
        if pull.state is not PullState.OPEN:
            return pull.state
        body = {"Do": "manually-merged", "MergeCommitID": head, "head_commit_id": head}
        accepted = (HTTPStatus.OK, HTTPStatus.METHOD_NOT_ALLOWED)
        answer = await self._client.ask("POST", f"/pulls/{number}/merge", body, accepted=accepted)
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            await self.close(number, LANDED.format(head))
        return (await self._at_head(number, head)).state

    async def _closed_by(self, pull: PullRequest) -> str:
        """Return who closed a pull request: its timeline alone says so."""
        if pull.state is not PullState.CLOSED:
            return ""
        events = await self._client.pages(f"/issues/{pull.number}/timeline?{PAGE}")
        return next((account(each) for each in reversed(events) if each["type"] == "close"), "")

    async def _newest_of(self, branch: str) -> Mapping[str, Any] | None:
        # Of several it gives any one: an older one, mostly, which has ended.
        found = await self._look_up(f"/pulls/main/{quote(branch, safe='')}")
        if found is None or found["state"] == "open":
            return found
        rows = await self._client.pages(f"/pulls?state=all&base_branch=main&{PAGE}")
        return newest_of(branch, rows) or found

    async def _statuses(self, commit: str) -> tuple[Check, ...]:
        rows = await self._client.pages(f"/commits/{commit}/status?{PAGE}", within="statuses")
        found = {row["context"]: status_from(row, "status") for row in rows}
        return tuple(found[name] for name in sorted(found))
