"""Which intent a unit is there for: where its problems are told, and by what name a person asks for its manifests."""

from __future__ import annotations

from intents.identity import Identity, path_of
from intents.kinds import Kind
from renderers.unit import Unit, UnitKind

_KINDS = {
    UnitKind.CLUSTER: (Kind.CLUSTER,),
    UnitKind.TENANT: (Kind.TENANT,),
    UnitKind.PROJECT: (Kind.PROJECT,),
    UnitKind.DEPLOYMENT: (Kind.MODEL_DEPLOYMENT, Kind.ROLLOUT),
    UnitKind.TRAINING_JOB: (Kind.TRAINING_JOB,),
}


def intents_of(unit: Unit) -> tuple[str, ...]:
    """Return the path of a unit's own intent, first, and of what belongs to that alone."""
    names = {UnitKind.CLUSTER: unit.cluster, UnitKind.TENANT: unit.tenant, UnitKind.PROJECT: unit.project}
    name = names.get(unit.kind, unit.name)
    return tuple(path_of(Identity(kind, name, unit.tenant, unit.project)) for kind in _KINDS[unit.kind])
