"""The steps that a deployment's strategy declares, in words and with the weights after each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from intents.kinds.model_deployment import Version
from intents.kinds.rollout import LiveVersion
from intents.kinds.traffic import AB, BlueGreen, Canary, CanaryStep, Match, Pair, Shadow

ALL = 100
"""Percent of the traffic."""
AT_ONCE = "at once"


@dataclass(frozen=True)
class WalkStep:
    """One commit of the rollout controller: when it comes, and the traffic of each live version after it in percent."""

    summary: str
    when: str
    weights: Mapping[str, int]


def declared_steps(
    strategy: Canary | BlueGreen | AB | Shadow, asked: Sequence[Version], live: Sequence[LiveVersion], *, begun: bool
) -> tuple[WalkStep, ...]:
    """Return the steps from what is live to the end; `begun` says that earlier ones of this walk are made already."""
    walk = _Walk({each.name: each.weight for each in live})
    match strategy:
        case Canary():
            walk.start(_shares(strategy, 0), _differing(asked, live))
            _canary(walk, strategy, begun=begun)
        case BlueGreen():
            walk.start(_shares(strategy, 0), _differing(asked, live))
            _blue_green(walk, strategy)
        case AB():
            walk.start(strategy.split, _differing(asked, live))
            _split(walk, strategy)
        case Shadow():
            started = walk.start(_shares(strategy, 0), _differing(asked, live))
            _shadow(walk, strategy, started=started)
    return tuple(walk.steps)


def answering(names: Sequence[str]) -> str:
    """Return the condition that versions are ready."""
    return f"once {_words(names)} {'answers' if len(names) == 1 else 'answer'}"


def drained(names: Sequence[str]) -> str:
    """Return the condition that nothing is left for versions to do."""
    return f"once {_words(names)} {'has' if len(names) == 1 else 'have'} no request in flight"


@dataclass
class _Walk:
    """A walk as it is made: what is live by now, and the steps that led there."""

    now: dict[str, int]
    steps: list[WalkStep] = field(default_factory=list)

    def move(self, summary: str, when: str, weights: Mapping[str, int]) -> None:
        """Give versions these weights; the others stand on without traffic."""
        self.now = {**dict.fromkeys(self.now, 0), **weights}
        self._step(summary, when)

    def start(self, wanted: Mapping[str, int], updated: Sequence[str]) -> bool:
        """Bring up what is not live yet, without traffic unless it is the first, and change what stands otherwise.

        Returns whether anything was brought up.
        """
        starting = [name for name in wanted if name not in self.now]
        said = [(verb, names) for verb, names in (("Start", starting), ("Update", updated)) if names]
        if said:
            self.now = {**self.now, **dict.fromkeys(starting, 0)} if self.now else dict(wanted)
            self._step(", ".join(f"{verb} {_words(names)}" for verb, names in said), AT_ONCE)
        return bool(starting)

    def retire(self, kept: Mapping[str, int], keep: str | None = None) -> None:
        """End what is not kept, `keep` after it lost its traffic or as soon as it has nothing to do."""
        gone = [name for name in self.now if name not in kept]
        if gone:
            self.now = {name: weight for name, weight in self.now.items() if name in kept}
            self._step(f"Retire {_words(gone)}", f"after {keep}" if keep else drained(gone))

    def _step(self, summary: str, when: str) -> None:
        self.steps.append(WalkStep(summary, when, dict(self.now)))


def _canary(walk: _Walk, canary: Canary, *, begun: bool) -> None:
    reached = walk.now.get(canary.candidate, 0) if begun else 0
    before: CanaryStep | None = None
    for step in canary.steps:
        if step.weight > reached or not begun:
            when = _left_when(before) if before else answering([canary.candidate])
            walk.move(f"Move {step.weight} % to {canary.candidate}", when, _shares(canary, step.weight))
        before = step
    walk.retire({canary.candidate: ALL})


def _left_when(step: CanaryStep) -> str:
    """Say what must hold before a step is left."""
    gates = " and ".join(
        f"{each.metric} is below {each.below:g}"
        + (f" in {each.min_requests} requests" if each.min_requests > 1 else "")
        for each in step.gates
    )
    time = f"after {step.at_least}" if step.at_least else "then"
    return f"{time}, if {gates}" if gates else time


def _blue_green(walk: _Walk, strategy: BlueGreen) -> None:
    candidate = strategy.candidate
    if walk.now.get(candidate) != ALL:
        stood = f"once {candidate} has answered for {strategy.at_least}"
        when = stood if strategy.at_least else answering([candidate])
        walk.move(f"Move all traffic to {candidate}", when, _shares(strategy, ALL))
    walk.retire({candidate: ALL}, strategy.keep)


def _split(walk: _Walk, strategy: AB) -> None:
    if {name: walk.now.get(name) for name in strategy.split} != strategy.split:
        matches = "".join(f"; {_matched(each)}" for each in strategy.match)
        walk.move(f"Split the traffic{matches}", answering(list(strategy.split)), strategy.split)
    walk.retire(strategy.split)


def _matched(match: Match) -> str:
    what, found = ("header", match.header) if match.header else ("cookie", match.cookie)
    return f"{what} {found.name}={found.value} always reaches {match.version}" if found else ""


def _shadow(walk: _Walk, strategy: Shadow, *, started: bool) -> None:
    shares = _shares(strategy, 0)
    if started or any(walk.now.get(name) != weight for name, weight in shares.items()):
        summary = f"Copy {strategy.percent} % of the requests to {strategy.candidate}, whose answers are thrown away"
        walk.move(summary, answering([strategy.candidate]), shares)
    walk.retire(shares)


def _differing(asked: Sequence[Version], live: Sequence[LiveVersion]) -> list[str]:
    """Return the live versions that are asked for with other replicas, resources or models."""
    wanted = {each.name: each for each in asked}
    return [each.name for each in live if each.name in wanted and not _alike(each, wanted[each.name])]


def _alike(live: LiveVersion, asked: Version) -> bool:
    return all(getattr(live, name) == getattr(asked, name) for name in type(asked).model_fields)


def _shares(pair: Pair, candidate: int) -> dict[str, int]:
    return {pair.stable: ALL - candidate, pair.candidate: candidate}


def _words(names: Sequence[str]) -> str:
    return " and ".join(names)
