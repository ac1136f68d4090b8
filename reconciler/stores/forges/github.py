"""GitHub: pull requests, reviews, statuses and check runs of the REST API, version 2022-11-28.

Source: https://docs.github.com/rest (pulls, pulls/reviews, commits/statuses, checks/runs, issues/comments). Statuses
are set, not check runs: those only an App may make, these every token. GitHub marks a pull request as merged by
itself once its head is on main ("indirect merges").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from reconciler.planning.forge import Check, PullRequest, PullState, Verdict
from reconciler.ports.errors import Waiting
from reconciler.stores.forges.client import ForgeClient, Token
from reconciler.stores.forges.pull_requests import PullRequests, status_from
from reconciler.stores.forges.pulls import (
    account,
    is_change,
    newest_of,
    pull_from,
    repository_of,
    summarized,
)

PAGE = "per_page=100"
ACCEPT = "application/vnd.github+json"
SEEN_AFTER_SECONDS = 2.0
"""After a push GitHub takes a moment to see that a pull request is merged."""

_PASSED = {"success", "neutral", "skipped"}


def api_of(url: str) -> str:
    """Return the address of a repository in the API, on github.com or an Enterprise Server."""
    host, prefix, repository = repository_of(url)
    base = "https://api.github.com" if host == "https://github.com" else f"{host}{prefix}/api/v3"
    return f"{base}/repos/{repository}"


class GitHubForge(PullRequests):
    """The Forge port."""

    ALREADY_OPEN = HTTPStatus.UNPROCESSABLE_ENTITY
    PAGE = PAGE
    VERDICTS = frozenset({"APPROVED", "CHANGES_REQUESTED", "DISMISSED"})

    def __init__(self, url: str, token: Token) -> None:
        """Act in the repository at `url` as the owner of the token."""
        super().__init__(ForgeClient(api_of(url), token, "Bearer", ACCEPT))
        self._owner = repository_of(url)[2].partition("/")[0]

    async def list(self) -> Sequence[PullRequest]:
        """Return the open pull requests, oldest first."""
        path = f"/pulls?state=open&base=main&sort=created&direction=asc&{PAGE}"
        return [pull_from(row) for row in await self._client.pages(path, poll=True) if is_change(row)]

    async def merge(self, number: int, head: str) -> PullState:
        """Wait for GitHub to see that main has the head."""
        pull = await self._at_head(number, head)
        if pull.state is PullState.OPEN:
            raise Waiting(f"GitHub has not seen yet that main has {head}", SEEN_AFTER_SECONDS)
        return pull.state

    async def _closed_by(self, pull: PullRequest) -> str:
        """Return who closed a pull request: as an issue alone it says so."""
        if pull.state is not PullState.CLOSED:
            return ""
        return account((await self._client.ask("GET", f"/issues/{pull.number}")).body, "closed_by")

    async def _newest_of(self, branch: str) -> Mapping[str, Any] | None:
        path = f"/pulls?state=all&base=main&head={quote(f'{self._owner}:{branch}', safe='')}&{PAGE}"
        return newest_of(branch, await self._client.pages(path))

    async def _checks(self, commit: str) -> tuple[Check, ...]:
        runs = await self._client.pages(f"/commits/{commit}/check-runs?filter=latest&{PAGE}", within="check_runs")
        found = {each.name: each for each in (*map(_of_run, runs), *await self._statuses(commit))}
        return tuple(found[name] for name in sorted(found))

    async def _statuses(self, commit: str) -> tuple[Check, ...]:
        rows = await self._client.pages(f"/commits/{commit}/status?{PAGE}", within="statuses")
        return tuple(status_from(row, "state") for row in rows)


def _of_run(row: Mapping[str, Any]) -> Check:
    if row["status"] != "completed":
        verdict = Verdict.PENDING
    else:
        verdict = Verdict.SUCCESS if row["conclusion"] in _PASSED else Verdict.FAILURE
    summary = (row.get("output") or {}).get("title") or ""
    return Check(row["name"], verdict, summarized(summary), row.get("html_url") or "")
