"""The report's sections on traffic, pods, cost and schedules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from reconciler.planning.plan.change_plan import ChangePlan
from reconciler.planning.plan.cost import DeploymentCost
from reconciler.planning.plan.firings import Firings, ScheduleFirings
from reconciler.planning.plan.lines import Line, Mark, Section, field_lines, section
from reconciler.planning.plan.pods import PodAction, PodChange, PodRange, When
from reconciler.planning.plan.traffic import Traffic, VersionTraffic
from reconciler.planning.plan.wording import money, plural

_DIGEST = 19
"""`sha256:` and twelve digits: enough to tell one from another."""


def traffic_section(plan: ChangePlan) -> Iterator[Section]:
    """Yield the traffic by version and the walks that follow."""
    steps = sum(len(each.walk) for each in plan.traffic)
    summary = f"{plural(len(plan.traffic), 'deployment')}, {plural(steps, 'step')} to follow"
    yield from section("Traffic", summary, (line for each in plan.traffic for line in _traffic(each)))


def _traffic(traffic: Traffic) -> Iterator[Line]:
    yield Line(Mark.PLAIN, f"{traffic.tenant}/{traffic.project}/{traffic.deployment}: {_strategy(traffic)}")
    for version in traffic.versions:
        yield Line(_mark(version), _version(version), 1)
    if traffic.held:
        yield Line(Mark.ALERT, f"held: {traffic.held}", 1)
    for number, step in enumerate(traffic.walk, start=1):
        weights = ", ".join(f"{name} {weight}" for name, weight in step.weights.items())
        yield Line(Mark.PLAIN, f"{number}. {step.summary}, {step.when} [{weights}]", 1)


def _strategy(traffic: Traffic) -> str:
    before, after = traffic.strategy_before or "not there", traffic.strategy_after or "removed"
    return after if before == after else f"{before} → {after}"


def _mark(version: VersionTraffic) -> Mark:
    match version.before, version.after:
        case before, after if before == after:
            return Mark.PLAIN
        case None, _:
            return Mark.ADDED
        case _, None:
            return Mark.REMOVED
    return Mark.CHANGED


def _version(version: VersionTraffic) -> str:
    end = "" if version.at_the_end == version.after else f", {_share(version.at_the_end)} at the end"
    what = f"{version.name} = {version.model} ({version.digest[:_DIGEST]})"
    return f"{what}: {_share(version.before)} → {_share(version.after)}{end}"


def _share(weight: int | None) -> str:
    return "not live" if weight is None else f"{weight} %"


class _Action(NamedTuple):
    """How an action is shown: its mark, what pods do, and that in a word."""

    mark: Mark
    words: str
    done: str


_ACTIONS: Mapping[PodAction, _Action] = {
    PodAction.START: _Action(Mark.ADDED, "start", "start"),
    PodAction.RESTART: _Action(Mark.CHANGED, "restart", "restart"),
    PodAction.REVISE: _Action(Mark.CHANGED, "come as a new revision", "be revised"),
    PodAction.SCALE: _Action(Mark.CHANGED, "scale without restart", "scale"),
    PodAction.END: _Action(Mark.REMOVED, "end", "end"),
    PodAction.REFUSED: _Action(Mark.ALERT, "cannot change: the API server refuses it", "be refused"),
}


def pods_section(plan: ChangePlan) -> Iterator[Section]:
    """Yield what becomes of pods, and why."""
    actions = [each.action for each in plan.pods]
    summary = ", ".join(f"{actions.count(each)} to {_ACTIONS[each].done}" for each in PodAction if each in actions)
    yield from section("Pods", summary, (line for each in plan.pods for line in _pods(each)))


def _pods(change: PodChange) -> Iterator[Line]:
    mark, words, _ = _ACTIONS[change.action]
    when = " at once" if change.when is When.AT_ONCE else ", by the rollout"
    name = f"{change.kind} {change.namespace}/{change.name}"
    yield Line(mark, f"{name}: {_range(change)} {words}{when}")
    yield from field_lines(change.because)
    if change.replaced:
        yield Line(Mark.PLAIN, f"replaced by {change.replaced}", 1)


def _range(change: PodChange) -> str:
    before, after = change.before, change.after
    if before is not None and after is not None and before != after:
        return f"{_count(before)} → {_count(after)} pods"
    known = after or before
    return f"{_count(known)} pod{'' if known == PodRange(1, 1) else 's'}" if known else "pods"


def _count(pods: PodRange) -> str:
    return f"{pods.min}" if pods.min == pods.max else f"{pods.min}–{pods.max}"


def cost_section(plan: ChangePlan) -> Iterator[Section]:
    """Yield the cost of a month."""
    cost = plan.cost
    if cost is None:
        return
    currency = cost.currency_after or cost.currency_before or ""
    was = "" if cost.currency_before == cost.currency_after else f" {cost.currency_before or 'without prices'}"
    total = f"{money(cost.before)}{was} → {money(cost.after)} {currency} a month"

    def lines() -> Iterator[Line]:
        for each in cost.deployments:
            yield from _cost(each)
        for name in cost.unpriced:
            yield Line(Mark.ALERT, f"no price for {name}: counted as 0")
        yield Line(Mark.PLAIN, f"in all {total}; from fewest to most replicas, without runs and training jobs")

    yield from section("Cost", total, lines())


def _cost(cost: DeploymentCost) -> Iterator[Line]:
    name = f"{cost.tenant}/{cost.project}/{cost.deployment}"
    yield Line(Mark.CHANGED, f"{name}: {money(cost.before)} → {money(cost.after)}")
    if cost.before_sum:
        yield Line(Mark.REMOVED, cost.before_sum, 1)
    if cost.after_sum:
        yield Line(Mark.ADDED, cost.after_sum, 1)


def schedules_section(plan: ChangePlan) -> Iterator[Section]:
    """Yield when schedules fire next."""
    lines = (line for each in plan.schedules for line in _schedule(each))
    yield from section("Schedules", plural(len(plan.schedules), "schedule"), lines)


def _schedule(schedule: ScheduleFirings) -> Iterator[Line]:
    yield Line(Mark.PLAIN, schedule.path)
    if schedule.before == schedule.after:
        yield Line(Mark.PLAIN, f"as before, {_firings(schedule.after)}", 1)
        return
    if schedule.before is not None:
        yield Line(Mark.REMOVED, _firings(schedule.before), 1)
    if schedule.after is not None:
        yield Line(Mark.ADDED, _firings(schedule.after), 1)


def _firings(firings: Firings | None) -> str:
    if firings is None or not (firings.suspended or firings.next):
        return "never"
    times = ", ".join(each.strftime("%Y-%m-%d %H:%M %Z") for each in firings.next)
    return f"{firings.template}: {times or 'suspended'}"
