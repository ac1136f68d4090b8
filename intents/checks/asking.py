"""What Runs, Schedules and TrainingJobs ask of a template: that it is there, is theirs, and takes what they give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from pydantic import JsonValue

from intents.checks.amounts import Place
from intents.checks.limits import could_fit
from intents.checks.parameters import parameter_problems
from intents.checks.rule import Change
from intents.documents import Document
from intents.hints import nearest
from intents.kinds import Kind, RunSpec, ScheduleSpec, Spec, TemplateSpec, TrainingJobSpec
from intents.kinds.resources import Resources
from intents.kinds.run import Registration
from intents.problems import Problem, Severity
from intents.usage import Amounts

ASKING = (Kind.RUN, Kind.SCHEDULE, Kind.TRAINING_JOB)
"""The kinds that name a template."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an intent asks of a template, and where in the document."""

    template: str
    parameters: Mapping[str, JsonValue]
    register: Registration | None
    place: Place
    trains: bool
    """A training program is wanted, not a pipeline package."""


def asked_by(spec: Spec | None) -> Asked | None:
    """Return what a spec asks of a template; None for kinds that name none."""
    match spec:
        case RunSpec():
            return Asked(spec.template, spec.parameters, spec.register_, ("spec",), trains=False)
        case ScheduleSpec(run=run):
            return Asked(run.template, run.parameters, run.register_, ("spec", "run"), trains=False)
        case TrainingJobSpec():
            return Asked(spec.template, spec.parameters, spec.register_, ("spec",), trains=True)
    return None


def template_fits(change: Change) -> Iterator[Problem]:
    """The template is there, is offered, and takes the parameters; what is registered is a model."""
    asked = asked_by(change.document.spec)
    if asked is None:
        return
    template = change.world.template(asked.template)
    if template is None:
        yield from _no_such_template(change, asked)
    elif _is_withheld(change, template):
        yield _not_offered(change, asked)
    elif (template.spec.training is not None) != asked.trains:
        yield _wrong_template(change.document, asked)
    else:
        yield from _deprecated(change, asked, template)
        yield from parameter_problems(change.document, asked, template)
        yield from _registers_a_model(change.document, asked, template)
        if starts_anew(change):
            yield from _can_run(change, asked, template)


def starts_anew(change: Change) -> bool:
    """Whether the change makes something start: a new intent, a raised attempt, another request of a schedule.

    What has run once stays as it was, whatever becomes of its template and its project's quota.
    """
    if change.before is None or change.after is None:
        return True
    before, after = change.before.spec, change.after.spec
    if isinstance(before, ScheduleSpec) and isinstance(after, ScheduleSpec):
        return before.run != after.run
    if isinstance(before, RunSpec | TrainingJobSpec) and isinstance(after, RunSpec | TrainingJobSpec):
        return before.attempt != after.attempt
    return True


def affected_by_templates(change: Change) -> set[str]:
    """Return the schedules that go on using a template whose offer changed. Looks at every schedule."""
    before, after = (each.spec if each else None for each in (change.before, change.after))
    if not isinstance(after, TemplateSpec) or not isinstance(before, TemplateSpec):
        return set()
    if (before.tenants, before.deprecated) == (after.tenants, after.deprecated):
        return set()
    return {each.path for each in users_of(change, (Kind.SCHEDULE,))}


def users_of(change: Change, kinds: tuple[Kind, ...] = ASKING) -> Iterator[Document]:
    """Yield the intents that name the template at the changed path. Looks at every intent of the kinds."""
    document = change.after or change.before
    if document is None:
        return
    reference = f"{document.identity.name}@{document.identity.version}"
    for kind in kinds:
        for each in change.head.of_kind(kind).values():
            asked = asked_by(each.spec)
            if asked is not None and asked.template == reference:
                yield each


def _no_such_template(change: Change, asked: Asked) -> Iterator[Problem]:
    """Where the change removes it, that is reported there. The names of templates for others are not told."""
    if change.base.template(asked.template) is None:
        tenant = change.document.identity.tenant
        offered = [name for name, each in change.head.templates().items() if each.spec.offered_to(tenant)]
        hint = nearest(asked.template, offered, "templates")
        message = f"there is no template {asked.template}"
        yield change.document.problem("unknown-template", message, *asked.place, "template", hint=hint)


def _wrong_template(document: Document, asked: Asked) -> Problem:
    message, hint = f"template {asked.template} is a training program", "ask for it by a TrainingJob"
    if asked.trains:
        message, hint = f"template {asked.template} is a pipeline package", "ask for it by a Run"
    return document.problem("wrong-template", message, *asked.place, "template", hint=hint)


def _may_start(change: Change) -> bool:
    """Only what will start needs the offer: a run that was allowed once can still be cancelled."""
    return change.document.identity.kind is Kind.SCHEDULE or starts_anew(change)


def _is_withheld(change: Change, template: Document[TemplateSpec]) -> bool:
    """Whether the tenant may not start it. Then nothing of it is told, such as names of its parameters."""
    return _may_start(change) and not template.spec.offered_to(change.document.identity.tenant)


def _not_offered(change: Change, asked: Asked) -> Problem:
    message = f"template {asked.template} is not offered to tenant {change.document.identity.tenant}"
    hint = "ask a platform admin to add the tenant to the template"
    return change.document.problem("template-not-offered", message, *asked.place, "template", hint=hint)


def _deprecated(change: Change, asked: Asked, template: Document[TemplateSpec]) -> Iterator[Problem]:
    if _may_start(change) and template.spec.deprecated is not None:
        place, severity = (*asked.place, "template"), Severity.WARNING
        message = f"template {asked.template} is deprecated: {template.spec.deprecated}"
        yield change.document.problem("deprecated-template", message, *place, severity=severity)


def _registers_a_model(document: Document, asked: Asked, template: Document[TemplateSpec]) -> Iterator[Problem]:
    if asked.register is None:
        return
    outputs, wanted = [each.output for each in template.spec.models], asked.register.output
    place = (*asked.place, "register")
    if not outputs:
        message = f"template {asked.template} declares no model output"
        yield document.problem("no-model-output", message, *place, hint="remove `register`")
    elif wanted is None and len(outputs) > 1:
        hint = f"set `output` to one of {', '.join(outputs)}"
        message = f"template {asked.template} has several model outputs"
        yield document.problem("output-not-chosen", message, *place, hint=hint)
    elif wanted is not None and wanted not in outputs:
        hint = nearest(wanted, outputs, "outputs")
        message = f"template {asked.template} has no model output {wanted}"
        yield document.problem("unknown-output", message, *place, "output", hint=hint)


def _can_run(change: Change, asked: Asked, template: Document[TemplateSpec]) -> Iterator[Problem]:
    """One task of a package, or all nodes of a training job at once, fit what the project may use."""
    spec, resources = change.document.spec, template.spec.resources
    if not isinstance(spec, TrainingJobSpec):
        what = f"a task of {asked.template}"
        yield from could_fit(change, _amounts(resources), what, (*asked.place, "template"))
        return
    own = spec.resources
    what = f"{spec.nodes} nodes" if spec.nodes > 1 else "one node"
    place = ("spec", "resources") if own else ("spec", "template")
    yield from could_fit(change, Amounts.of(own or resources, spec.nodes), what, place)


def _amounts(resources: Resources) -> Amounts:
    """Return what one pod uses; mostly the same few amounts, for every run of a tree."""
    return Amounts.of(resources) if resources.gpus else _without_gpus(resources.cpus, resources.memory)


@lru_cache(maxsize=1024)
def _without_gpus(cpus: str, memory: str) -> Amounts:
    return Amounts.of(Resources(cpus=cpus, memory=memory))
