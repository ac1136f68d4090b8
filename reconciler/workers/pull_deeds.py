"""What is done on a forge, and here, for changes and their pull requests: one action after another."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from reconciler.planning.forge import Proposal, PullRequest
from reconciler.planning.pull_requests import (
    Action,
    Ask,
    ClosePull,
    Count,
    MarkMerged,
    MoveBranch,
    Say,
    SetCheck,
    Show,
    Withdraw,
)
from reconciler.planning.remote import Attempt
from reconciler.ports.changes import ReviewedChanges
from reconciler.ports.errors import Conflict, Waiting
from reconciler.ports.forge import Forge
from reconciler.ports.remote import RefUpdate, Remote
from reconciler.ports.requests import RequestQueue

PUSH_AGAIN_SECONDS = 10.0


@dataclass(frozen=True)
class Deeds:
    """Carries actions out; each may be done again, and names what it is about. Raises Waiting, Stalled or Conflict."""

    forge: Forge
    remote: Remote
    queue: RequestQueue
    changes: ReviewedChanges

    async def do(self, action: Action) -> PullRequest | None:
        """Do it; return the pull request that now shows a change."""
        match action:
            case Show():
                return await self._show(action)
            case MoveBranch():
                await asyncio.to_thread(self._push, action)
            case SetCheck(commit, check):
                await self.forge.set_check(commit, check)
            case MarkMerged(number, head):
                await self.forge.merge(number, head)
            case ClosePull(number, reason):
                await self.forge.close(number, reason)
            case Say(number, text):
                await self.forge.comment(number, text)
            case _:
                await self._say_here(action)
        return None

    async def _say_here(self, action: Count | Withdraw | Ask) -> None:
        match action:
            case Count(approval):
                with suppress(Conflict):  # it ended meanwhile
                    await self.changes.approve(approval)
            case Withdraw(change, approver):
                await self.changes.withdraw(change, approver)
            case Ask(request):
                await self.queue.put(request)

    async def _show(self, action: Show) -> PullRequest:
        """Bring text and checks up to date; the plan's check comes last but one, when its text is there to be read."""
        showing = action.showing
        pull = await self.forge.propose(Proposal(action.branch, action.head, showing.title, showing.text))
        for check in showing.checks:
            await self.forge.set_check(action.head, check)
        return pull

    def _push(self, move: MoveBranch) -> None:
        pushed = self.remote.push([RefUpdate(f"refs/heads/{move.branch}", move.old, move.new)])
        if pushed.attempt is not Attempt.ACCEPTED:
            raise Waiting(f"{move.branch} cannot be pushed: {pushed.said or 'nothing was said'}", PUSH_AGAIN_SECONDS)
