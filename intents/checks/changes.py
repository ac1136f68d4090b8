"""What may not change in an intent once it is committed."""

from __future__ import annotations

from collections.abc import Iterator

from intents.checks.rule import Change
from intents.kinds import PlatformSpec, RunSpec, TrainingJobSpec
from intents.problems import Problem


def immutable_fields_stay(change: Change) -> Iterator[Problem]:
    """Only the fields that a kind names as MUTABLE may change."""
    document, before = change.document, change.before
    if before is None or before is document:
        return
    fixed = type(document.spec).model_fields.keys() - document.spec.MUTABLE
    for name in sorted(fixed):
        if getattr(before.spec, name) != getattr(document.spec, name):
            field = type(document.spec).model_fields[name].alias or name
            yield document.problem(
                "immutable-field",
                f"`{field}` of a {document.identity.kind} cannot change once it is committed",
                "spec",
                field,
                hint="keep it as it was, or make a new intent under another name",
            )


def repository_stays(change: Change) -> Iterator[Problem]:
    """The repository's uid is what every run's uid is derived from."""
    old, new = change.before.spec if change.before else None, change.document.spec
    if isinstance(old, PlatformSpec) and isinstance(new, PlatformSpec) and old.repository.uid != new.repository.uid:
        message = f"`uid` of the repository cannot change; it is {old.repository.uid}"
        yield change.document.problem("immutable-field", message, "spec", "repository", "uid", hint="put it back")


def attempt_is_not_lowered(change: Change) -> Iterator[Problem]:
    """Attempts are counted upwards: a lower one was already made."""
    old, new = change.before.spec if change.before else None, change.document.spec
    if not isinstance(old, RunSpec | TrainingJobSpec) or not isinstance(new, RunSpec | TrainingJobSpec):
        return
    if new.attempt < old.attempt:
        message = f"attempt {new.attempt} was already made; the last one is {old.attempt}"
        hint = f"write {old.attempt + 1} to run it again"
        yield change.document.problem("attempt-lowered", message, "spec", "attempt", hint=hint)
