"""What is done the same way on every forge: putting a change before people, checks, closing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar

from reconciler.planning.forge import Check, Proposal, PullDetails, PullRequest, PullState, Verdict
from reconciler.ports.errors import Conflict, Waiting
from reconciler.stores.forges.client import ForgeClient
from reconciler.stores.forges.pulls import account, last_words, moment, pull_from, review_from, summarized, with_plan

LOOK_AGAIN_SECONDS = 10.0
LONGEST_BODY = 65_536
"""What GitHub takes as the text of a pull request, in characters."""


_STATUSES = {"pending": Verdict.PENDING, "success": Verdict.SUCCESS, "warning": Verdict.SUCCESS}


class PullRequests(ABC):
    """The half of the Forge port that Gitea and GitHub share; both took the other half's shape from each other too."""

    ALREADY_OPEN: ClassVar[HTTPStatus]
    """What the forge answers where the branch has an open pull request."""
    PAGE: ClassVar[str]
    """The query that asks for the most rows that the forge gives at once."""
    VERDICTS: ClassVar[frozenset[str]]
    """The states of reviews that say yes or no, or take that back; all others are only words."""

    def __init__(self, client: ForgeClient) -> None:
        """Ask through `client`, whose address is the repository in the API."""
        self._client = client

    async def show(self, number: int) -> PullDetails | None:
        """Return one pull request with its reviews and checks, or None where there is none of that number."""
        row = await self._look_up(f"/pulls/{number}")
        if row is None:
            return None
        pull = pull_from(row)
        reviews = await self._client.pages(f"/pulls/{number}/reviews?{self.PAGE}")
        words = last_words(review_from(each) for each in reviews if each["state"] in self.VERDICTS)
        ended_by = account(row, "merged_by") or await self._closed_by(pull)
        commit = str(row["merge_commit_sha"] or "") if pull.state is PullState.MERGED else ""
        return PullDetails(pull, words, await self._checks(pull.head), ended_by, commit)

    async def propose(self, proposal: Proposal) -> PullRequest:
        """Open the pull request of a branch, or bring title and plan of the open one up to date."""
        found = await self._open_of(proposal.branch) or await self._open(proposal)
        if found["head"]["sha"] != proposal.head:
            raise Conflict(f"{proposal.branch} is at {found['head']['sha']}, expected {proposal.head}")
        wanted = {"title": proposal.title, "body": with_plan(found["body"], proposal.plan)[:LONGEST_BODY]}
        if wanted != {key: found[key] or "" for key in wanted}:
            found = (await self._client.ask("PATCH", f"/pulls/{found['number']}", wanted)).body
        return pull_from(found)

    async def set_check(self, commit: str, check: Check) -> None:
        """Set a check of a commit; one that says so already is not set again: GitHub takes 1,000 for a commit."""
        wanted = Check(check.name, check.verdict, summarized(check.summary), check.url)
        if wanted in await self._statuses(commit):
            return
        body = {
            "state": wanted.verdict.value,
            "context": wanted.name,
            "description": wanted.summary,
            "target_url": wanted.url,
        }
        await self._client.ask("POST", f"/statuses/{commit}", body)

    async def close(self, number: int, reason: str) -> None:
        """Close an open pull request with a comment; one that is not open stays as it is."""
        row = await self._look_up(f"/pulls/{number}")
        if row is not None and row["state"] == "open":
            await self.comment(number, reason)
            await self._client.ask("PATCH", f"/pulls/{number}", {"state": "closed"})

    async def comment(self, number: int, text: str) -> None:
        """Say something on a pull request."""
        await self._client.ask("POST", f"/issues/{number}/comments", {"body": text})

    async def latest(self, branch: str) -> PullRequest | None:
        """Return the pull request of a branch: the open one, or else the newest of those that ended."""
        found = await self._newest_of(branch)
        return None if found is None else pull_from(found)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def _open(self, proposal: Proposal) -> Mapping[str, Any]:
        text = {"title": proposal.title, "body": proposal.plan, "head": proposal.branch, "base": "main"}
        accepted = (HTTPStatus.CREATED, self.ALREADY_OPEN)
        answer = await self._client.ask("POST", "/pulls", text, accepted=accepted)
        found = answer.body if answer.status == HTTPStatus.CREATED else await self._open_of(proposal.branch)
        if found is None:
            raise Waiting(f"no pull request of {proposal.branch} can be opened: {answer.message}", LOOK_AGAIN_SECONDS)
        return dict(found)

    async def _at_head(self, number: int, head: str) -> PullRequest:
        """Return a pull request; raises Conflict where its head is another."""
        pull = pull_from((await self._client.ask("GET", f"/pulls/{number}")).body)
        if pull.head != head:
            raise Conflict(f"pull request {number} is at {pull.head}, expected {head}")
        return pull

    async def _look_up(self, path: str) -> Mapping[str, Any] | None:
        answer = await self._client.ask("GET", path, accepted=(HTTPStatus.OK, HTTPStatus.NOT_FOUND))
        return None if answer.status == HTTPStatus.NOT_FOUND else dict(answer.body)

    async def _open_of(self, branch: str) -> Mapping[str, Any] | None:
        found = await self._newest_of(branch)
        return found if found is not None and found["state"] == "open" else None

    async def _checks(self, commit: str) -> tuple[Check, ...]:
        """Return the newest check of each name that a commit has."""
        return await self._statuses(commit)

    @abstractmethod
    async def _closed_by(self, pull: PullRequest) -> str:
        """Return the account that closed a pull request without merging it; empty where nobody did."""

    @abstractmethod
    async def _newest_of(self, branch: str) -> Mapping[str, Any] | None:
        """Return the newest pull request of a branch onto main, an open one before all others."""

    @abstractmethod
    async def _statuses(self, commit: str) -> tuple[Check, ...]:
        """Return the newest status of each name that a commit has."""


def status_from(row: Mapping[str, Any], state: str) -> Check:
    """Return a status of either forge's answer; `state` names the field that says how it went."""
    verdict = _STATUSES.get(row[state], Verdict.FAILURE)
    return Check(row["context"], verdict, row["description"] or "", row["target_url"] or "", moment(row["created_at"]))
