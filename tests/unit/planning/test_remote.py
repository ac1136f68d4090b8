"""What to do about a branch here and on a remote: the whole table."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from reconciler.planning.remote import (
    Attempt,
    Follow,
    Push,
    Rest,
    Sight,
    Standing,
    Step,
    Stop,
    Wait,
    home_step,
    mirror_step,
)

HERE, THERE, KNOWN = "a" * 40, "b" * 40, "c" * 40
WHOLE_TABLE = list(product(Standing, Standing, Attempt))


def sight(
    from_known: Standing = Standing.SAME, from_here: Standing = Standing.SAME, there: str | None = THERE
) -> Sight:
    return Sight("main", HERE, there, KNOWN, from_here, from_known)


def name(step: Step) -> str:
    return step.reason.partition(":")[0] if isinstance(step, Stop) else type(step).__name__


HOME: dict[tuple[Standing, Attempt], str] = {
    (Standing.SAME, Attempt.NONE): "Rest",
    (Standing.SAME, Attempt.ACCEPTED): "Rest",
    (Standing.SAME, Attempt.REJECTED): "push-refused",
    (Standing.SAME, Attempt.UNKNOWN): "Wait",
    (Standing.BEHIND, Attempt.NONE): "Push",
    (Standing.BEHIND, Attempt.ACCEPTED): "Push",
    (Standing.BEHIND, Attempt.REJECTED): "push-refused",
    (Standing.BEHIND, Attempt.UNKNOWN): "Wait",
}


@pytest.mark.parametrize(("from_known", "from_here", "attempt"), WHOLE_TABLE)
def test_home(from_known: Standing, from_here: Standing, attempt: Attempt) -> None:
    step = home_step(sight(from_known, from_here), attempt, "no")
    if from_known in {Standing.BEHIND, Standing.APART}:
        assert name(step) == "history-rewritten"
    elif from_here is Standing.APART:
        assert isinstance(step, Stop)
    elif from_here is Standing.AHEAD:
        assert step == Follow(THERE)
    else:
        assert name(step) == HOME[from_here, attempt]


@pytest.mark.parametrize(("from_known", "from_here", "attempt"), WHOLE_TABLE)
def test_mirror(from_known: Standing, from_here: Standing, attempt: Attempt) -> None:
    step = mirror_step(sight(from_known, from_here), attempt, "no")
    foreign = from_known in {Standing.BEHIND, Standing.APART} or from_here in {Standing.AHEAD, Standing.APART}
    if foreign:
        assert name(step) == "foreign-move"
    else:
        assert name(step) == ("Rest" if from_here is Standing.SAME else HOME[from_here, attempt])


def test_a_push_expects_what_was_read() -> None:
    assert home_step(sight(from_here=Standing.BEHIND)) == Push(THERE, HERE)
    assert mirror_step(sight(Standing.AHEAD, Standing.BEHIND, there=None)) == Push(None, HERE)


def test_nothing_here_and_nothing_there_is_nothing_to_do() -> None:
    nothing = Sight("main", None, None, None, Standing.SAME, Standing.SAME)
    assert home_step(nothing) == mirror_step(nothing) == Rest()


@pytest.mark.parametrize("decide", [home_step, mirror_step])
def test_what_is_said_names_places_and_what_to_do(decide: Callable[[Sight], Step]) -> None:
    gone = decide(sight(Standing.BEHIND, Standing.BEHIND, there=None))
    assert isinstance(gone, Stop)
    assert KNOWN in gone.reason
    assert "absent" in gone.reason
    refused = home_step(sight(), Attempt.REJECTED, "protected branch")
    assert isinstance(refused, Stop)
    assert "protected branch" in refused.reason
    waiting = home_step(sight(), Attempt.UNKNOWN)
    assert isinstance(waiting, Wait)
    assert "main" in waiting.reason
