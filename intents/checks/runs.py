"""Runs: their template, their parameters, what they register."""

from __future__ import annotations

from collections.abc import Iterator

from intents.checks.parameters import parameter_problems
from intents.checks.rule import Change
from intents.documents import Document
from intents.hints import nearest
from intents.kinds import RunSpec, TemplateSpec
from intents.problems import Problem


def run_name_is_new(change: Change) -> Iterator[Problem]:
    """A name is used once in a project, whatever its date: people and logs know runs by name."""
    others = sorted(path for path in change.head.named(change.document.identity) if path != change.path)
    if others:
        message = f"the name {change.document.identity.name} is used by {others[0]}"
        hint = "choose another, or raise `attempt` there to run it again"
        yield Problem("run-name-used", change.path, 0, 0, message, hint)


def run_fits_template(change: Change) -> Iterator[Problem]:
    """The template is there, is offered, and takes the parameters; what is registered is a model."""
    document, spec = change.document, change.document.spec
    if not isinstance(spec, RunSpec):
        return
    template = change.head.template(spec.template)
    if template is not None:
        yield from _offered(change, spec, template)
        yield from parameter_problems(document, spec.parameters, template)
        yield from _registers_a_model(document, spec, template)
    elif change.base.template(spec.template) is None:
        hint = nearest(spec.template, change.head.templates(), "templates")
        message = f"there is no template {spec.template}"
        yield document.problem("unknown-template", message, "spec", "template", hint=hint)


def _offered(change: Change, spec: RunSpec, template: Document[TemplateSpec]) -> Iterator[Problem]:
    """Only a new attempt needs the offer: a run that was allowed once can still be cancelled."""
    before = change.before.spec if change.before else None
    if isinstance(before, RunSpec) and before.attempt == spec.attempt:
        return
    tenant = change.document.identity.tenant
    if not template.spec.offered_to(tenant):
        message = f"template {spec.template} is not offered to tenant {tenant}"
        hint = "ask a platform admin to add the tenant to the template"
        yield change.document.problem("template-not-offered", message, "spec", "template", hint=hint)


def _registers_a_model(document: Document, spec: RunSpec, template: Document[TemplateSpec]) -> Iterator[Problem]:
    if spec.register_ is None:
        return
    outputs, wanted = [each.output for each in template.spec.models], spec.register_.output
    if not outputs:
        message = f"template {spec.template} declares no model output"
        yield document.problem("no-model-output", message, "spec", "register", hint="remove `register`")
    elif wanted is None and len(outputs) > 1:
        hint = f"set `output` to one of {', '.join(outputs)}"
        message = f"template {spec.template} has several model outputs"
        yield document.problem("output-not-chosen", message, "spec", "register", hint=hint)
    elif wanted is not None and wanted not in outputs:
        hint = nearest(wanted, outputs, "outputs")
        message = f"template {spec.template} has no model output {wanted}"
        yield document.problem("unknown-output", message, "spec", "register", "output", hint=hint)
