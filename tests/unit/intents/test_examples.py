"""The example repository is valid and shows everything the language has."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from intents.checks import check
from intents.documents import of_spec
from intents.identity import identify, misplaced
from intents.kinds import Kind, ModelDeploymentSpec, RolloutSpec, TemplateSpec
from intents.kinds.cluster import KServeMode
from intents.kinds.traffic import Splitter, Traffic
from intents.packages import check_package
from intents.schemas import file_name
from intents.tree import Tree
from tests.fixtures.examples import EXAMPLES, ROOT, example_files, example_tree

FILES = example_files()
INTENTS = [path for path in FILES if identify(path)]
TREE = example_tree()


def test_the_example_repository_has_no_problem() -> None:
    assert check(Tree.empty(), TREE) == ()
    assert [problem for path in FILES if (problem := misplaced(path))] == []


def test_its_packages_are_sound() -> None:
    for path, document in TREE.of_kind(Kind.TEMPLATE).items():
        template = of_spec(document, TemplateSpec)
        assert template is not None
        if template.spec.package is not None:
            package = FILES[str(PurePosixPath(path).with_name(template.spec.package.file))]
            assert check_package(template, package) == ()


def test_it_covers_every_kind_and_every_strategy() -> None:
    assert {kind for kind in Kind if TREE.of_kind(kind)} == set(Kind)
    assert {_strategy(spec) for spec in _deployments()} == set(Traffic.model_fields)
    arms = [spec.traffic.ab for spec in _deployments() if spec.traffic.ab]
    assert {arm.splitter for arm in arms} == set(Splitter)
    matches = [match for arm in arms for match in arm.match]
    assert any(match.header for match in matches)
    assert any(match.cookie for match in matches)


def test_it_has_clusters_of_both_modes_and_both_sorts_of_templates() -> None:
    clusters = [TREE.cluster(PurePosixPath(path).stem) for path in TREE.of_kind(Kind.CLUSTER)]
    assert {each.spec.kserve.mode for each in clusters if each} == set(KServeMode)
    templates = TREE.templates().values()
    assert any(each.spec.training for each in templates)
    assert any(each.spec.package for each in templates)


def test_each_deployment_has_a_rollout_that_moves_toward_it() -> None:
    for path, document in TREE.of_kind(Kind.MODEL_DEPLOYMENT).items():
        rollout = of_spec(TREE.get(path.replace(".yaml", ".rollout.yaml")), RolloutSpec)
        assert rollout is not None, path
        assert rollout.spec.of == document.blob, path


@pytest.mark.parametrize("path", INTENTS)
def test_an_example_names_its_schema(path: str) -> None:
    first = FILES[path].decode().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    identity = identify(path)
    assert identity is not None
    schema = ((EXAMPLES / path).parent / first.partition("=")[2]).resolve()
    assert schema == ROOT / "platform" / "schemas" / file_name(identity.kind)


def _deployments() -> list[ModelDeploymentSpec]:
    found = (of_spec(each, ModelDeploymentSpec) for each in TREE.of_kind(Kind.MODEL_DEPLOYMENT).values())
    return [each.spec for each in found if each]


def _strategy(spec: ModelDeploymentSpec) -> str:
    return next(name for name in Traffic.model_fields if getattr(spec.traffic, name) is not None)
