"""What a pull request of a change says: its title, its text and the checks of its head."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from intents.authority import Principal
from intents.kinds.members import Subject
from intents.tree import Tree
from reconciler.planning.changes import Change, not_approvable
from reconciler.planning.forge import Check, PullDetails, Verdict
from reconciler.planning.plan.digest import PlanDigest
from reconciler.planning.plan.markdown import LIMIT, code_span, to_markdown
from reconciler.planning.plan.report import headline
from reconciler.planning.plan.wording import printable
from reconciler.planning.proposing import Preview
from reconciler.planning.writing import refusing

PLAN_CHECK = "ordain/plan"
"""The check that tells what a change would do, by the digest of its plan first, and whether anything refuses it."""
APPROVALS_CHECK = "ordain/approvals"
"""The check that succeeds once a change has all approvals."""
SHORT = 12
"""Digits of a digest as people see it."""
LONGEST_TITLE = 200
MOST_NAMED = 20


@dataclass(frozen=True)
class Showing:
    """What a pull request is to say."""

    title: str
    lead: str
    """What stands before the plan; its first line is a marker that names the change."""
    checks: tuple[Check, ...]
    text: str = field(compare=False)
    """Markdown: `lead` and the plan. What changes in the plan alone, as the hours that go by, is nothing to tell."""


def marker(change: Change) -> str:
    """Return the line that tells which change a pull request is of."""
    return f"<!-- ordain change {change.id} -->"


def shows(check: Check, digest: PlanDigest) -> bool:
    """Whether a plan's check tells this digest."""
    return check.summary.startswith(f"{digest[:SHORT]}:")


def showing_of(change: Change, shown: Preview, reviews: Iterable[str] = ()) -> Showing:
    """Return what to show of an open change; `reviews` say why those on the forge do not count."""
    title = printable(change.subject)[:LONGEST_TITLE] or f"Change {change.id}"
    lead = "\n".join((marker(change), *_people(change, shown, reviews), ""))
    text = lead + to_markdown(shown.plan, LIMIT - len(lead))
    return Showing(title, lead, (_plan_check(shown), _approvals_check(shown)), text)


def not_counting(
    tree: Tree, change: Change, digest: PlanDigest, details: PullDetails, people: Mapping[str, str]
) -> Iterator[str]:
    """Yield why approving reviews of the head do not count, one line each."""
    for review in details.approvals:
        user = people.get(review.by)
        if user is None:
            yield f"{code_span(review.by)}: no user is named for this account in platform.yaml"
        elif (problem := not_approvable(tree, change, Principal(user), digest, digest)) is not None:
            yield f"{code_span(review.by)}: {code_span(problem.message)}"


def moved_by_others(change: Change) -> Check:
    """Return the check of a commit that others put on a change's branch."""
    said = f"not a commit of this change; put the branch back to {change.head[:SHORT]}, or make a request of your own"
    return Check(PLAN_CHECK, Verdict.FAILURE, said)


def _people(change: Change, shown: Preview, reviews: Iterable[str]) -> Iterator[str]:
    standing = shown.standing
    counted = [each.approval.approver.user for each in standing.approvals if not each.fallen]
    yield f"Change `{change.id}` of {code_span(change.author.user)}; plan `{shown.digest[:SHORT]}`."
    yield ""
    yield f"- approvals: {_counted(shown)}" + (f", by {_listed(counted)}" if counted else "")
    for each in standing.approvals:
        if each.fallen:
            yield f"- that of {code_span(each.approval.approver.user)} fell: {code_span(each.fallen)}"
    yield from (f"- a review does not count: {each}" for each in reviews)
    if standing.missing:
        yield f"- who may approve: {_listed(map(_name, standing.who)) or 'nobody else has the role'}"
    yield f"- merge it with `ordain change merge {change.id}`: the button here goes past the platform's checks"
    yield ""


def _counted(shown: Preview) -> str:
    standing = shown.standing
    return f"{standing.required - standing.missing} of {standing.required}" if standing.required else "none needed"


def _name(subject: Subject) -> str:
    return subject.user or f"group {subject.group}"


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    more = [f"and {len(found) - MOST_NAMED} more"] if len(found) > MOST_NAMED else []
    return ", ".join((*map(code_span, found[:MOST_NAMED]), *more))


def _plan_check(shown: Preview) -> Check:
    problems = refusing(shown.plan.problems)
    said = str(problems[0]) if problems else headline(shown.plan)
    verdict = Verdict.FAILURE if problems else Verdict.SUCCESS
    return Check(PLAN_CHECK, verdict, f"{shown.digest[:SHORT]}: {printable(said)}")


def _approvals_check(shown: Preview) -> Check:
    verdict = Verdict.PENDING if shown.standing.missing else Verdict.SUCCESS
    return Check(APPROVALS_CHECK, verdict, _counted(shown))
