"""What to do about servers and routes, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.planning.observations import (
    Backend,
    EdgeConfig,
    EdgeRoute,
    ServerObservation,
    ServerSpec,
    ServerState,
)
from reconciler.planning.serving import Publish, Served, ServedVersion, Start, Stop, conditions_of, plan_serving

OLD = ServerSpec("acme--fraud", "scoring-v1", "fraud", "s3://models/1/", "sha256:" + "1" * 64)
NEW = replace(OLD, name="scoring-v2", digest="sha256:" + "2" * 64)
EMPTY = EdgeConfig("ml.localhost", (), ())


def routed(*specs: ServerSpec) -> EdgeConfig:
    backends = tuple(Backend(spec.key, "127.0.0.1:1", 100) for spec in specs)
    return replace(EMPTY, routes=(EdgeRoute("acme.ml.localhost", "acme", "fraud", "scoring", "fraud", backends),))


def alive(*specs: ServerSpec) -> list[ServerObservation]:
    return [ServerObservation(spec.key, ServerState.READY, "127.0.0.1:1") for spec in specs]


def test_nothing_to_do_is_no_action() -> None:
    assert plan_serving([OLD], routed(OLD), routed(OLD), alive(OLD)) == ()


def test_servers_start_before_routes_move_and_stop_after() -> None:
    assert plan_serving([NEW], routed(NEW), routed(OLD), alive(OLD)) == (Start(NEW), Publish(routed(NEW)))
    assert plan_serving([NEW], routed(NEW), routed(NEW), alive(OLD, NEW)) == (Stop(OLD.key),)


def test_a_server_is_not_stopped_while_the_edge_has_a_request_at_it() -> None:
    busy = [replace(server, active_requests=1) for server in alive(OLD)]
    assert plan_serving([NEW], routed(NEW), routed(NEW), [*busy, *alive(NEW)]) == ()


def test_a_successor_publishes_once_whatever_is_there() -> None:
    assert plan_serving([OLD], routed(OLD), None, alive(OLD)) == (Publish(routed(OLD)),)


def test_a_dead_server_is_started_again() -> None:
    assert plan_serving([OLD, NEW], routed(OLD), routed(OLD), alive(OLD)) == (Start(NEW),)


def test_other_bytes_under_the_same_name_are_another_server() -> None:
    other = replace(OLD, digest="sha256:" + "9" * 64)
    assert plan_serving([other], EMPTY, EMPTY, alive(OLD)) == (Start(other), Stop(OLD.key))


def version(name: str, weight: int, state: ServerState, reason: str = "") -> ServedVersion:
    return ServedVersion(name, "fraud@1", "sha256:1", weight, state, reason)


@pytest.mark.parametrize(
    ("versions", "edge", "applied", "ready"),
    [
        ([version("v1", 100, ServerState.READY)], True, (True, "Routed"), (True, "Serving")),
        ([version("v1", 100, ServerState.READY)], False, (False, "Pending"), (False, "Starting")),
        ([version("v1", 100, ServerState.STARTING)], True, (True, "Routed"), (False, "Starting")),
        ([version("v1", 100, ServerState.FAILED, "no bytes")], False, (False, "Pending"), (False, "Failed")),
        (
            [version("v1", 100, ServerState.READY), version("v2", 0, ServerState.FAILED)],
            True,
            (True, "Routed"),
            (True, "Serving"),
        ),
        ([], True, (True, "Routed"), (False, "Starting")),
    ],
)
def test_conditions(
    versions: list[ServedVersion], edge: bool, applied: tuple[bool, str], ready: tuple[bool, str]
) -> None:
    served = Served("acme", "fraud", "scoring", "a" * 40, "b" * 40, tuple(versions), edge)
    first, second = conditions_of(served)
    assert (first.type, first.status, first.reason) == ("Applied", *applied)
    assert (second.type, second.status, second.reason) == ("Ready", *ready)
    assert {first.observed_blob, second.observed_blob} == {"a" * 40}


def test_what_is_wrong_with_a_version_is_said() -> None:
    failed = version("v2", 0, ServerState.FAILED, "its bytes differ")
    served = Served("a", "f", "s", "a", "b", (version("v1", 100, ServerState.READY), failed), routed=True)
    assert conditions_of(served)[1].message == "v2: its bytes differ"
