"""A unit: what is rendered as one, and where its manifests lie on the rendered branch.

A manifest's path follows from its unit: tenants' workloads lie at `<tenant>/<project>/`, what only the platform may
write at `platform/tenants/<tenant>/` and `platform/cluster/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from renderers.canonical import Manifest


class UnitKind(StrEnum):
    """The sorts of units."""

    CLUSTER = "cluster"
    """What a cluster needs once."""
    TENANT = "tenant"
    """What a tenant needs once on a cluster that has a project of it."""
    PROJECT = "project"
    """A project's namespace and all that fences it."""
    DEPLOYMENT = "deployment"
    TRAINING_JOB = "training-job"


@dataclass(frozen=True, order=True)
class Unit:
    """One thing to render on one cluster."""

    kind: UnitKind
    cluster: str
    tenant: str = ""
    project: str = ""
    name: str = ""


def folder_of(unit: Unit) -> str:
    """Return the folder of a unit's manifests; units of one project or tenant share it, others never do."""
    match unit.kind:
        case UnitKind.CLUSTER:
            return "platform/cluster"
        case UnitKind.TENANT | UnitKind.PROJECT:
            return f"platform/tenants/{unit.tenant}"
        case _:
            return f"{unit.tenant}/{unit.project}"


def manifest_path(unit: Unit, manifest: Manifest) -> str:
    """Return where a manifest of a unit lies on the rendered branch."""
    place = f"{unit.project}-" if unit.kind is UnitKind.PROJECT else ""
    return f"{folder_of(unit)}/{place}{manifest['kind'].lower()}-{manifest['metadata']['name']}.yaml"
