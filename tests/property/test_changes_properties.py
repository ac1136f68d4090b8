"""What holds for changes, whatever people ask in whatever order and however main moves meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from intents.authority import Principal
from intents.documents import Document
from intents.tree import Tree
from reconciler.planning.changes import (
    Approval,
    Change,
    ChangeId,
    ChangeState,
    Deed,
    OfChange,
    approvals_required,
    not_approvable,
)
from reconciler.planning.proposing import Known, KnownChange, decide, preview
from reconciler.planning.writing import ANY, Accepted, Closed, Decision, Proposed, Write, WriteAction
from tests.fixtures.approvals import (
    ADMIN,
    APPROVER,
    BLUE,
    DEPLOY_SPEC,
    DEVELOPER,
    LEAD,
    NOON,
    OTHER_DEVELOPER,
    SECOND_SPEC,
    VIEWER,
    approved_specs,
    approved_tree,
    ask,
    body,
)
from tests.fixtures.trees import DEPLOYMENT, FRAUD, ROLLOUT, document, small_specs

PEOPLE = (DEVELOPER, OTHER_DEVELOPER, APPROVER, LEAD, VIEWER, ADMIN)
CONTENTS = {
    BLUE: (body(BLUE, DEPLOY_SPEC), body(BLUE, SECOND_SPEC), None, b"kind: nonsense\n"),
    DEPLOYMENT: (body(DEPLOYMENT, DEPLOY_SPEC), body(DEPLOYMENT, SECOND_SPEC), None),
}
SPECS = approved_specs()
MOVES: tuple[dict[str, Document | None], ...] = (
    {ROLLOUT: None},
    {ROLLOUT: document(ROLLOUT, small_specs()[ROLLOUT] | {"step": 2})},
    {DEPLOYMENT: document(DEPLOYMENT, SPECS[DEPLOYMENT] | {"endpoint": {"timeout": "9s"}})},
    {BLUE: document(BLUE, SECOND_SPEC)},
    {FRAUD: document(FRAUD, SPECS[FRAUD] | {"approvals": {}})},
    {FRAUD: document(FRAUD, SPECS[FRAUD])},
    {FRAUD: document(FRAUD, SPECS[FRAUD] | {"approvals": {"ModelDeployment": 2}})},
)


@dataclass(frozen=True)
class Step:
    """Something that somebody does."""

    deed: str
    who: Principal = DEVELOPER
    path: str = BLUE
    content: int = 0
    number: int = 0


STEPS = st.builds(
    Step,
    st.sampled_from(["open", "update", "approve", "approve", "merge", "merge", "close", "move"]),
    st.sampled_from(PEOPLE),
    st.sampled_from(sorted(CONTENTS)),
    st.integers(0, 3),
    st.integers(0, 6),
)


@dataclass
class Game:
    """Main, the changes beside it, and what is checked after each step."""

    tree: Tree = field(default_factory=approved_tree)
    known: dict[ChangeId, KnownChange] = field(default_factory=dict)
    commits: int = 0

    def play(self, step: Step) -> None:
        match step.deed:
            case "move":
                self.tree = self.tree.advance(MOVES[step.number % len(MOVES)])
            case "open":
                self.decided(step, None)
            case _ if self.known:
                change = list(self.known)[step.number % len(self.known)]
                self.approve(step, change) if step.deed == "approve" else self.decided(
                    step, OfChange(change, Deed(step.deed))
                )
            case _:
                pass

    def decided(self, step: Step, of: OfChange | None) -> None:
        choices = CONTENTS[step.path]
        content = choices[step.content % len(choices)]
        write = Write(step.path, WriteAction.PUT if content else WriteAction.REMOVE, content or b"", ANY)
        writes = () if of and of.deed is not Deed.UPDATE else (write,)
        request = ask(*writes, principal=step.who, of=of)
        before = self.known.get(of.id) if of else None
        after, decision = decide(self.tree, request, Known(self.known))
        assert (after is self.tree) or isinstance(decision, Accepted)
        self.hold(before, after, decision)
        self.keep(before, decision)
        self.tree = after

    def hold(self, before: KnownChange | None, after: Tree, decision: Decision) -> None:
        """Check what was decided against the rules, worked out anew."""
        if isinstance(decision, Accepted):
            author = before.change.author if before else decision.request.principal
            required = approvals_required(self.tree, after, decision.files, author)
            if before is None:
                assert required == 0
                return
            assert decision.merges is not None
            assert len(set(decision.merges.approved_by)) >= required
            assert author.user not in decision.merges.approved_by
            shown = preview(self.tree, before, now=NOON)
            now = {each.approver.user for each in before.approvals if each.digest == shown.digest}
            assert set(decision.merges.approved_by) <= now
        if before is not None and before.change.state is not ChangeState.OPEN:
            assert not isinstance(decision, Accepted | Proposed | Closed)

    def keep(self, before: KnownChange | None, decision: Decision) -> None:
        """Keep what the writer would."""
        match decision:
            case Proposed():
                self.commits += 1
                self.known[decision.change] = self._changed(before, decision)
            case Accepted(merges=merges) if merges is not None:
                self.known[merges.change] = _ended(self.known[merges.change], ChangeState.MERGED)
            case Closed(change=change):
                self.known[change.id] = _ended(self.known[change.id], ChangeState.CLOSED)

    def _changed(self, before: KnownChange | None, decision: Proposed) -> KnownChange:
        request = decision.request
        change = Change(
            id=decision.change,
            tenant="acme",
            project="fraud",
            author=request.principal,
            email="",
            subject="",
            base="b" * 40,
            head=f"{self.commits:040x}",
            paths=tuple(sorted(decision.files)),
            opened_at=NOON,
            updated_at=NOON,
        )
        here = {path: self.tree.get(path) for path in decision.files}
        stood = {path: each.body if each else None for path, each in here.items()}
        return KnownChange(change, decision.files, stood, before.approvals if before else ())

    def approve(self, step: Step, change: ChangeId) -> None:
        found = self.known[change]
        digest = preview(self.tree, found, now=NOON).digest
        if not_approvable(self.tree, found.change, step.who, digest, digest) is None:
            approval = Approval(change, step.who, digest, found.change.head, NOON)
            self.known[change] = replace(found, approvals=(*found.approvals, approval))


def _ended(known: KnownChange, state: ChangeState) -> KnownChange:
    return replace(known, change=replace(known.change, state=state))


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, min_size=3, max_size=14))
def test_main_moves_only_with_the_words_that_it_takes(steps: Sequence[Step]) -> None:
    game = Game()
    for step in steps:
        game.play(step)


def test_the_game_comes_to_merges() -> None:
    game = Game()
    for step in (Step("open"), Step("approve", APPROVER), Step("merge", OTHER_DEVELOPER)):
        game.play(step)
    assert [each.change.state for each in game.known.values()] == [ChangeState.MERGED]
    assert BLUE in game.tree
