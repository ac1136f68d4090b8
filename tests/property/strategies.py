"""Strategies: specs of every kind, and small changes of the small tree."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from intents.kinds import SPECS, Kind, Spec
from intents.names import RULES

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
    | st.sampled_from(
        ["no", "1e3", "0755", "12:30", "2026-11-23", "~", "", "<<", "a: b", "- x", "#", "\u2028", "\x85"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=4)


def name(what: str) -> st.SearchStrategy[str]:
    """Names of a sort, up to their limit."""
    rule = RULES[what]
    return st.from_regex(rule.pattern, fullmatch=True).filter(lambda text: len(text) <= rule.limit)


HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
DIGESTS = HEX.map(lambda text: f"sha256:{text}")
BLOBS = st.text("0123456789abcdef", min_size=40, max_size=40)
COUNTS = st.integers(1, 10_000)
PERSONS = st.from_regex(r"[a-z]{1,10}@[a-z]{1,10}", fullmatch=True)
QUANTITIES = st.from_regex(r"[1-9][0-9]{0,3}(\.[1-9])?(m|k|Mi|Gi)?", fullmatch=True) | st.integers(1, 2**40)
MODEL_REFS = st.builds("{}@{}".format, name("model"), st.integers(1, 999_999_999))
TEMPLATE_REFS = st.builds("{}@{}".format, name("template"), name("template version"))
WORDS = st.from_regex(r"[a-z][a-z0-9_-]{0,10}", fullmatch=True)


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def _all(
    required: dict[str, st.SearchStrategy[Any]], **optional: st.SearchStrategy[Any]
) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


def _replicas(bounds: tuple[int, int]) -> dict[str, int]:
    return {"min": min(bounds), "max": max(bounds)}


_SUBJECTS = PERSONS.map(lambda who: {"user": who}) | PERSONS.map(lambda who: {"group": who})
_ROLES = st.lists(st.sampled_from(["viewer", "developer", "approver", "admin"]), min_size=1, max_size=4)
_VERSION = {"name": name("version"), "model": MODEL_REFS, "digest": DIGESTS}
_SERVED = {
    "replicas": st.tuples(COUNTS, COUNTS).map(_replicas),
    "resources": _some(cpus=QUANTITIES, memory=QUANTITIES),
}
_VERSIONS = st.lists(_all(_VERSION, **_SERVED), min_size=1, max_size=3)
_LIVE = st.lists(_all({**_VERSION, "weight": st.integers(0, 100)}, **_SERVED), min_size=1, max_size=3)
_FILES = st.fixed_dictionaries(
    {
        "path": st.from_regex(r"[a-z]{1,5}(/[a-z0-9]{1,5}){0,3}", fullmatch=True),
        "size": st.integers(0, 2**40),
        "sha256": HEX,
    }
)

DOCUMENTS: dict[Kind, st.SearchStrategy[dict[str, Any]]] = {
    Kind.PLATFORM: _all(
        {
            "baseDomain": st.just("ml.localhost"),
            "repository": _all({"uid": st.uuids().map(str)}, home=st.just("local")),
            "admins": st.lists(_SUBJECTS, min_size=1, max_size=3),
        },
        auth=_some(mode=st.just("passthrough")),
    ),
    Kind.CLUSTER: _all({"driver": st.just("local")}, kserve=_some(mode=st.just("Standard"), version=st.just("0.20"))),
    Kind.TENANT: _all(
        {
            "displayName": TEXT,
            "hostnames": st.lists(name("hostname"), min_size=1, max_size=3),
            "defaultProject": name("project"),
        },
        members=st.lists(st.builds(lambda who, roles: {**who, "roles": roles}, _SUBJECTS, _ROLES), max_size=3),
    ),
    Kind.PROJECT: _all({"cluster": name("cluster")}, quota=_some(concurrentRuns=COUNTS)),
    Kind.TEMPLATE: _all(
        {"package": _all({"sha256": HEX}, file=st.just("pipeline.yaml"))},
        parameters=OBJECTS,
        tenants=st.lists(name("tenant"), max_size=3),
        models=st.lists(st.fixed_dictionaries({"task": WORDS, "output": WORDS}), max_size=3),
    ),
    Kind.RUN: _all(
        {"template": TEMPLATE_REFS},
        parameters=OBJECTS,
        register=_all({"model": name("model")}, output=WORDS),
        desired=st.sampled_from(["Running", "Cancelled"]),
        attempt=COUNTS,
    ),
    Kind.MODEL_VERSION: _all(
        {"digest": DIGESTS, "files": st.lists(_FILES, min_size=1, max_size=3)},
        signature=OBJECTS,
        lineage=_all({"run": st.just("runs/2026-11-23/first"), "task": WORDS}, commit=BLOBS),
    ),
    Kind.MODEL_DEPLOYMENT: _all(
        {"runtime": st.just("triton"), "versions": _VERSIONS, "traffic": st.just({"replace": {}})},
        endpoint=_some(timeout=st.from_regex(r"[1-9][0-9]{0,4}[smh]", fullmatch=True)),
    ),
    Kind.ROLLOUT: _all(
        {"of": BLOBS, "live": _LIVE},
        lastGood=_LIVE,
        step=st.integers(0, 1000),
        hold=st.fixed_dictionaries({"reason": TEXT, "by": PERSONS}),
    ),
}
"""Valid specs of each kind, as people write them."""


def specs(kind: Kind) -> st.SearchStrategy[Spec]:
    """Valid specs of a kind."""
    return DOCUMENTS[kind].map(lambda fields: SPECS[kind].model_validate(fields, by_alias=True, by_name=False))
