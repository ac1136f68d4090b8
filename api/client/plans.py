"""Answers that hold a plan. Imported where they are asked for: they load all that plans are made by."""

from __future__ import annotations

from api.client.errors import Disputed
from api.client.views import ApprovalView, Approver, ChangedFile, ChangeItem, View, Written
from intents.problems import Problem
from reconciler.planning.plan.change_plan import ChangePlan


class Planned(View):
    """What a write would do; nothing was written."""

    paths: tuple[str, ...]
    approvals: int
    """How many others would have to approve; 0: it would be committed at once."""
    plan: ChangePlan


class ChangeDetail(ChangeItem):
    """A change: what it would do to main as that is now, and what it lacks."""

    pull_request: str | None
    """The address of its pull request, where a forge is home of main."""
    waits_for: str
    """Why the forge does not show it as it is, if so."""
    writes: tuple[ChangedFile, ...]
    required: int
    """How many others have to approve."""
    missing: int
    """How many more."""
    approvals: tuple[ApprovalView, ...]
    approvers: tuple[Approver, ...]
    """Who may approve it; those of the groups are not listed."""
    mergeable: bool
    digest: str | None
    """Of the plan: what an approval is given for. None where the change ended, as is the plan."""
    plan: ChangePlan | None
    problems: tuple[Problem, ...]
    conflicts: tuple[Disputed, ...]
    """Where main is not what it was written on."""


class Approved(View):
    """A change after an approval; where it was to be merged with the last one, what became of that."""

    change: ChangeDetail
    merge: Written | None
