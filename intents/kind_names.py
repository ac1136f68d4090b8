"""What people call the kinds of intent at a keyboard: in full, in the plural, in short."""

from __future__ import annotations

from intents.hints import did_you_mean
from intents.kinds.base import Kind

CALLED: dict[Kind, tuple[str, ...]] = {
    Kind.PLATFORM: ("platform",),
    Kind.CLUSTER: ("cluster", "clusters"),
    Kind.TENANT: ("tenant", "tenants"),
    Kind.PROJECT: ("project", "projects", "proj"),
    Kind.TEMPLATE: ("template", "templates", "tmpl"),
    Kind.RUN: ("run", "runs"),
    Kind.SCHEDULE: ("schedule", "schedules", "sched"),
    Kind.TRAINING_JOB: ("trainingjob", "trainingjobs", "training", "job", "jobs"),
    Kind.MODEL_VERSION: ("model", "models", "modelversion", "modelversions", "mv"),
    Kind.MODEL_DEPLOYMENT: ("deployment", "deployments", "deploy", "modeldeployment", "modeldeployments"),
    Kind.ROLLOUT: ("rollout", "rollouts", "ro"),
}
"""The names of each kind, the one that is printed first. Case, `-` and `_` make no difference to what is read."""


class UnknownKind(Exception):
    """No kind is called so; the message says what comes near."""


def kind_called(name: str) -> Kind:
    """Return the kind that is called so: `ModelDeployment`, `model-deployments` or `deploy`. Raises UnknownKind."""
    found = _KINDS.get(_folded(name))
    if found is None:
        kinds = ", ".join(names[0] for names in CALLED.values())
        raise UnknownKind(f"there is no kind `{name}`: {did_you_mean(_folded(name), _KINDS) or f'kinds: {kinds}'}")
    return found


def _folded(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()


_KINDS = {name: kind for kind, names in CALLED.items() for name in names}
