"""Cluster: where runs and models are executed."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from intents.kinds.base import Part, Spec


class Driver(StrEnum):
    """What makes rendered manifests real: `local` is this machine."""

    LOCAL = "local"


class KServeMode(StrEnum):
    """How KServe deploys."""

    STANDARD = "Standard"


class KServe(Part):
    """The KServe that manifests are rendered for."""

    mode: KServeMode = KServeMode.STANDARD
    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+$")] = "0.20"


class ClusterSpec(Spec):
    """One place to run and serve."""

    MUTABLE: ClassVar = frozenset({"kserve"})

    driver: Driver
    kserve: KServe = Field(default_factory=KServe)
