from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from intents.kinds import ClusterSpec, PlatformSpec
from renderers.canonical import Manifest, to_yaml
from renderers.policies.engines import kyverno_policies, validating_policies
from renderers.unit import Unit, UnitKind, manifest_path
from tests.fixtures.policy_objects import settings
from tests.golden.golden_files import check_golden

Engine = Callable[[PlatformSpec, ClusterSpec], Iterator[Manifest]]


@pytest.mark.parametrize("engine", [validating_policies, kyverno_policies])
def test_policies_are_rendered_as_kept(engine: Engine) -> None:
    platform, cluster, _ = settings({"runAsNonRoot": "audit"})
    unit = Unit(UnitKind.CLUSTER, "local")
    files = {manifest_path(unit, each): to_yaml(each) for each in engine(platform, cluster)}
    check_golden(f"policies/{engine.__name__}", files)
