"""A plan as people read it: sections of short lines, which text and Markdown lay out. Nothing here is escaped."""

from __future__ import annotations

from collections.abc import Iterator

from intents.kinds.platform import Enforcement
from intents.problems import Problem, Severity
from reconciler.planning.plan.change_plan import ChangePlan
from reconciler.planning.plan.lines import MARKS, Line, Mark, Section, counted, field_lines, section
from reconciler.planning.plan.others import OtherChange
from reconciler.planning.plan.policy import PolicyVerdict
from reconciler.planning.plan.radius import BlastRadius, ChangeLimit
from reconciler.planning.plan.report_serving import cost_section, pods_section, schedules_section, traffic_section
from reconciler.planning.plan.report_usage import quota_section
from reconciler.planning.plan.wording import amount, plural, resource_name


def headline(plan: ChangePlan) -> str:
    """Return the whole plan in one line."""
    if not plan.intents and not plan.problems:
        return "nothing changes"
    intents = counted(each.change for each in plan.intents)
    return (
        f"{_of('intent', intents)}; {_of('manifest', counted(each.change for each in plan.manifests))}; {verdict(plan)}"
    )


def verdict(plan: ChangePlan) -> str:
    """Return how many problems a plan has, in words."""
    errors = sum(each.severity is Severity.ERROR for each in plan.problems) + len(plan.unrendered)
    errors += sum(each.enforcement is Enforcement.ENFORCE for each in plan.policies)
    warnings = sum(each.severity is Severity.WARNING for each in plan.problems)
    found = plural(errors, "problem") if errors else "no problems"
    return f"{found}, {plural(warnings, 'warning')}" if warnings else found


def sections(plan: ChangePlan) -> tuple[Section, ...]:
    """Return the subjects of which a plan has something to say, the ones that people decide by first."""
    return (
        *_intents(plan),
        *traffic_section(plan),
        *pods_section(plan),
        *quota_section(plan),
        *_others(plan),
        *cost_section(plan),
        *schedules_section(plan),
        *_policies(plan),
        *_reach(plan),
        *_manifests(plan),
        *_problems(plan),
    )


def _of(noun: str, counts: str) -> str:
    return f"{noun}s: {counts}" if counts else f"no {noun}"


def _intents(plan: ChangePlan) -> Iterator[Section]:
    def lines() -> Iterator[Line]:
        for each in plan.intents:
            yield Line(MARKS[each.change], f"{each.path} ({each.kind})")
            yield from field_lines(each.fields)
            if each.only_form:
                yield Line(Mark.PLAIN, "only comments or form differ", 1)

    yield from section("Intents", counted(each.change for each in plan.intents), lines())


def _manifests(plan: ChangePlan) -> Iterator[Section]:
    def lines() -> Iterator[Line]:
        for each in plan.manifests:
            yield Line(MARKS[each.change], f"{each.cluster}: {each.path}")
            yield from field_lines(each.fields)
        for unit in plan.unrendered:
            yield Line(Mark.ALERT, f"{unit.cluster}: {unit.unit} cannot be rendered: {unit.reason}")

    yield from section("Manifests", counted(each.change for each in plan.manifests) or "unknown", lines())


def _others(plan: ChangePlan) -> Iterator[Section]:
    conflicts = sum(bool(each.conflicts) for each in plan.others)
    summary = plural(len(plan.others), "open change") + (f", {conflicts} in conflict" if conflicts else "")
    lines = (line for each in plan.others for line in _other(each))
    yield from section("Other open changes", summary, lines)


def _other(other: OtherChange) -> Iterator[Line]:
    added = [
        f"{resource_name(name)} {'+' if value > 0 else ''}{amount(name, value)}" for name, value in other.adds.items()
    ]
    replicas = [f"replicas {other.replicas:+}"] if other.replicas else []
    text = ", ".join((plural(other.intents, "intent"), *replicas, *added))
    yield Line(Mark.PLAIN, f"{other.name}: {text}")
    for path in other.conflicts:
        yield Line(Mark.ALERT, f"also changes {path}", 1)


def _policies(plan: ChangePlan) -> Iterator[Section]:
    refused = sum(each.enforcement is Enforcement.ENFORCE for each in plan.policies)
    summary = f"{refused} refused, {len(plan.policies) - refused} told"
    yield from section("Policy", summary, map(_verdict, plan.policies))


def _verdict(verdict: PolicyVerdict) -> Line:
    refused = verdict.enforcement is Enforcement.ENFORCE
    name = f"{verdict.kind} {verdict.namespace}/{verdict.name}"
    text = f"{name}: {verdict.rule}: {verdict.message}"
    return Line(Mark.ALERT, text) if refused else Line(Mark.PLAIN, f"{text} (audit)")


def _reach(plan: ChangePlan) -> Iterator[Section]:
    def lines() -> Iterator[Line]:
        yield from _radius(plan.radius)
        yield from map(_limit, plan.limits)

    summary = ", ".join(
        plural(len(found), noun)
        for noun, found in (
            ("tenant", plan.radius.tenants),
            ("project", plan.radius.projects),
            ("cluster", plan.radius.clusters),
        )
        if found
    )
    yield from section("Reach", summary, lines())


def _radius(radius: BlastRadius) -> Iterator[Line]:
    for title, names in (("tenants", radius.tenants), ("projects", radius.projects), ("clusters", radius.clusters)):
        if names:
            yield Line(Mark.PLAIN, f"{title}: {', '.join(names)}")


def _limit(limit: ChangeLimit) -> Line:
    share = f" of {limit.of}" if limit.of is not None else ""
    mark = Mark.ALERT if limit.exceeded else Mark.PLAIN
    return Line(mark, f"limit {limit.name}: {limit.value}{share}, at most {limit.allowed}")


def _problems(plan: ChangePlan) -> Iterator[Section]:
    def lines() -> Iterator[Line]:
        for each in plan.problems:
            yield from _problem(each)
        for question in plan.not_checked:
            yield Line(Mark.PLAIN, f"not checked here: {question}")

    yield from section("Problems", verdict(plan), lines())


def _problem(problem: Problem) -> Iterator[Line]:
    refuses = problem.severity is Severity.ERROR
    code = problem.code if refuses else f"{problem.code} (warning)"
    yield Line(Mark.ALERT if refuses else Mark.PLAIN, f"{code}: {problem.told}")
    place = f"{problem.path}:{problem.line}:{problem.column}" if problem.line else problem.path
    yield Line(Mark.PLAIN, f"in {place}", 1)
    if problem.hint:
        yield Line(Mark.PLAIN, f"hint: {problem.hint}", 1)
