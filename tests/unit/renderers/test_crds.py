from __future__ import annotations

from typing import Any

import pytest
import yaml

from renderers.crds import CrdSet, NoDefinition

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "pattern": "^[a-z]+$"},
                "port": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"a": {}}},
                "marker": {"type": "object"},
                "note": {"type": "string", "nullable": True},
                "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                "either": {
                    "type": "object",
                    "properties": {"one": {"type": "string"}, "other": {"type": "string"}},
                    "oneOf": [{"required": ["one"], "properties": {"one": {"minLength": 2}}}, {"required": ["other"]}],
                },
                "parts": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"replicas": {"type": "integer", "minimum": 0}}},
                },
            },
        },
    },
}


def definition(schema: dict[str, Any] = SCHEMA, **more: Any) -> dict[str, Any]:
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **more}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "spec": {"group": "test.example", "names": {"kind": "Thing"}, "versions": [version]},
    }


THINGS = CrdSet.load([yaml.safe_dump(definition()).encode()])


def thing(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "test.example/v1",
        "kind": "Thing",
        "metadata": {"name": "one"},
        "spec": {"name": "some", **spec},
    }


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"port": 80},
        {"port": "http"},
        {"labels": {"anything": "goes"}},
        {"free": {"a": 1, "b": {"c": 2}}},
        {"marker": {}},
        {"note": None},
        {"tags": ["a", "b"]},
        {"either": {"one": "xx"}},
        {"parts": [{"replicas": 0}, {}]},
    ],
)
def test_what_the_definition_allows(spec: dict[str, Any]) -> None:
    assert THINGS.complaints(thing(**spec)) == ()


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"lables": {}}, "spec.lables: unknown field (did you mean `labels`?)"),
        ({"marker": {"x": 1}}, "spec.marker.x: unknown field"),
        ({"parts": [{"replica": 1}]}, "spec.parts.0.replica: unknown field (did you mean `replicas`?)"),
        ({"parts": [{"replicas": -1}]}, "spec.parts.0.replicas: -1 is less than the minimum of 0"),
        ({"either": {"a": "x", "one": "xx"}}, "spec.either.a: unknown field"),
        ({"name": "Some"}, 'spec.name: "Some" does not match "^[a-z]+$"'),
        ({"labels": {"a": 1}}, 'spec.labels.a: 1 is not of type "string"'),
        ({"tags": ["a", "a"]}, 'spec.tags: ["a","a"] has non-unique elements'),
        ({"port": 1.5}, 'spec.port: 1.5 is not of types "integer", "string"'),
    ],
)
def test_what_it_refuses(spec: dict[str, Any], complaint: str) -> None:
    assert complaint in [str(each) for each in THINGS.complaints(thing(**spec))]


def test_every_complaint_is_told_in_order() -> None:
    found = THINGS.complaints(thing(zz=1, aa=2, name=3))
    assert [each.location for each in found] == [("spec", "aa"), ("spec", "name"), ("spec", "zz")]


@pytest.mark.parametrize(
    ("metadata", "complaint"),
    [
        ({"name": "one", "label": {}}, "metadata.label: unknown field (did you mean `labels`?)"),
        ({"name": "One"}, "metadata.name"),
        ({"name": "one", "annotations": {"a": True}}, 'metadata.annotations.a: true is not of type "string"'),
        ({"name": "one", "labels": {"a": "x" * 64}}, "metadata.labels.a"),
    ],
)
def test_metadata_is_checked_although_definitions_leave_it_open(metadata: dict[str, Any], complaint: str) -> None:
    (found,) = THINGS.complaints({**thing(), "metadata": metadata})
    assert str(found).startswith(complaint)


def test_metadata_that_a_server_wrote_is_known() -> None:
    read_back = {"name": "one", "uid": "1", "creationTimestamp": "2026-11-23T00:00:00Z", "managedFields": [{}]}
    assert THINGS.complaints({**thing(), "metadata": read_back}) == ()


def test_kinds_without_a_definition_are_not_judged() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "nonsense": True}
    assert not THINGS.knows(pod)
    assert THINGS.complaints(pod) == ()


def test_a_misspelt_kind_or_version_of_a_known_group_is_told() -> None:
    (kind,) = THINGS.complaints({**thing(), "kind": "Thin"})
    assert str(kind) == "kind: test.example defines no kind Thin (did you mean `Thing`?)"
    (version,) = THINGS.complaints({**thing(), "apiVersion": "test.example/v2"})
    assert str(version) == "apiVersion: no Thing is served in version test.example/v2 (write test.example/v1)"


def test_files_of_several_objects_and_lists_are_read_for_their_definitions() -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [definition()]}
    body = yaml.safe_dump_all([{"kind": "Namespace"}, None, listed]).encode()
    assert CrdSet.load([b"", body]).knows(thing())


def test_versions_that_are_not_served_do_not_count() -> None:
    assert not CrdSet.load([yaml.safe_dump(definition(served=False)).encode()]).knows(thing())


@pytest.mark.parametrize(
    "body", [b"a: [", b"kind: CustomResourceDefinition", b"kind: CustomResourceDefinition\nspec: 1"]
)
def test_what_is_no_definition_is_refused(body: bytes) -> None:
    with pytest.raises(NoDefinition):
        CrdSet.load([body])
