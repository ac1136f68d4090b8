"""The client on the real application: what a program does with a platform."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import JsonValue

from api.client import (
    ABSENT,
    Address,
    Ambiguous,
    Asking,
    Client,
    Conflict,
    NotFound,
    Patience,
    Reference,
    Refused,
    State,
    Unavailable,
    Write,
)
from intents.kinds import Kind
from intents.problems import InvalidIntent
from intents.writing import blob_id
from tests.fixtures.served_world import ServedWorld, served
from tests.fixtures.trees import ACME, CHURN, DEPLOYMENT, FRAUD, GLOBEX, MODEL_1, ROLLOUT, RUN, TRAIN, small_specs
from tests.fixtures.write_world import ADMIN, LEAD, PLATFORM_HOST, VIEWER, write_world
from tests.support.repositories import DEVELOPER, STRANGER, intent

SPEC = {"template": "train@1.0.0", "parameters": {"rounds": 3}}
BODY = intent(RUN, SPEC)
CANCELLED = intent(RUN, {**SPEC, "desired": "Cancelled"})
FIRST = Reference(Kind.RUN, "first")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ServedWorld]:
    specs = small_specs()
    more = {path: specs[path] for path in (DEPLOYMENT, ROLLOUT, MODEL_1)}
    with served(write_world(tmp_path, more)) as found:
        yield found


@pytest.fixture
def client(world: ServedWorld) -> Iterator[Client]:
    with Client(world.url()) as found:
        yield found


def test_an_intent_is_written_read_listed_and_removed(world: ServedWorld, client: Client) -> None:
    written = client.intents.put(RUN, BODY, expects=ABSENT)
    assert (written.state, written.paths, written.created) == (State.COMMITTED, (RUN,), True)
    read = client.intents.get(RUN)
    assert (read.content, read.blob, read.commit) == (BODY, blob_id(BODY), written.commit)
    assert (read.identity.date, read.document) == ("2026-11-23", {**_envelope("Run"), "spec": SPEC})
    (item,) = client.intents.list(Kind.RUN)
    assert (item.path, item.commit, item.author, item.project) == (RUN, written.commit, DEVELOPER, "fraud")
    changed = client.intents.put(RUN, CANCELLED, expects=read.blob)
    assert not changed.created
    world.world.world.requests.runs[RUN] = True
    client.intents.delete(RUN)
    assert client.intents.find(RUN) is None
    assert client.intents.get(RUN, written.commit).content == BODY
    removed, cancelled, first = client.intents.history(RUN)
    assert [removed.blob, cancelled.blob, first.blob] == [None, blob_id(CANCELLED), blob_id(BODY)]
    assert (first.commit, first.by, first.request) == (written.commit, DEVELOPER, str(written.request))
    diff = client.intents.diff(RUN, first.commit, cancelled.commit)
    assert "+  desired: Cancelled" in diff.text
    assert [(each.change, each.path, each.after) for each in diff.fields] == [("added", "spec.desired", "Cancelled")]


def _envelope(kind: str) -> dict[str, str]:
    return {"apiVersion": "ordain.dev/v1alpha1", "kind": kind}


def test_an_answer_that_is_lost_is_asked_for_again_and_the_write_is_done_once(
    world: ServedWorld, client: Client
) -> None:
    edge = world.edges[DEVELOPER]
    edge.to_lose = 2
    written = client.intents.put(RUN, BODY)
    assert (edge.to_lose, edge.writes, written.created) == (0, 3, True)
    assert [each.commit for each in client.intents.history(RUN)] == [written.commit]
    edge.to_lose = 1
    client.intents.change([Write(RUN, CANCELLED.decode(), blob_id(BODY))])
    assert len(list(client.intents.history(RUN))) == 2


def test_two_clients_write_one_intent(world: ServedWorld, client: Client) -> None:
    base = client.intents.get(DEPLOYMENT)
    with Client(world.url(LEAD)) as other:
        other.intents.put(DEPLOYMENT, base.content.replace(b"max: 3", b"max: 5"), expects=base.blob)
    mine = base.content.replace(b"timeout: 5s", b"timeout: 9s")
    with pytest.raises(Conflict) as raised:
        client.intents.put(DEPLOYMENT, mine, expects=base.blob)
    assert raised.value.yours is not None
    assert raised.value.theirs is not None
    assert raised.value.yours.content == mine.decode()
    now = raised.value.theirs
    client.intents.put(DEPLOYMENT, now.content.replace("timeout: 5s", "timeout: 9s").encode(), expects=now.blob)
    there = client.intents.get(DEPLOYMENT).content
    assert b"max: 5" in there
    assert b"timeout: 9s" in there


def test_several_intents_are_written_at_once_or_not_at_all(client: Client) -> None:
    second = RUN.replace("first", "second")
    with pytest.raises(Refused) as refused:
        client.intents.change([Write(RUN, BODY.decode(), ABSENT), Write(second, "kind: Run\n", ABSENT)])
    assert {problem.path for problem in refused.value.problems} == {second}
    assert client.intents.find(RUN) is None
    written = client.intents.change([Write(RUN, BODY.decode()), Write(second, BODY.decode())], "Two runs")
    assert set(written.paths) == {RUN, second}
    (first,) = client.intents.history(second)
    assert first.subject == "Two runs"


def test_a_plan_writes_nothing(client: Client) -> None:
    planned = client.intents.plan([Write(RUN, BODY.decode()), Write(DEPLOYMENT, None)])
    assert [each.path for each in planned.plan.intents] == [ROLLOUT, DEPLOYMENT, RUN]
    assert planned.plan.traffic
    assert (set(planned.paths), planned.approvals) == ({DEPLOYMENT, ROLLOUT, RUN}, 0)
    assert client.intents.find(RUN) is None
    with pytest.raises(Refused):
        client.intents.plan([Write(RUN, "kind: Run\n")])
    with pytest.raises(Conflict):
        client.intents.plan([Write(DEPLOYMENT, None, ABSENT)])


def test_waiting_ends_while_the_writer_is_down(tmp_path: Path) -> None:
    with served(write_world(tmp_path), writing=False) as world, Client(world.url()) as client:
        written = client.intents.put(RUN, BODY, asking=Asking(wait=0.1))
        assert (written.state, written.commit, written.paths) == (State.WAITING, None, (RUN,))


def test_the_place_of_an_intent_is_found_by_its_name(client: Client) -> None:
    assert (client.tenant, client.project) == ("acme", "fraud")
    assert client.find_path(FIRST) is None
    assert client.new_path(FIRST).startswith("tenants/acme/projects/fraud/runs/")
    client.intents.put(RUN, BODY)
    assert client.find_path(FIRST) == client.new_path(FIRST) == RUN, "whatever its date"
    assert client.find_path(Reference(Kind.MODEL_DEPLOYMENT, "none")) == DEPLOYMENT.replace("scoring", "none")
    assert client.find_path(Reference(Kind.MODEL_VERSION, "fraud")) == MODEL_1.replace("1.yaml", "2.yaml"), "newest"
    assert client.find_path(Reference(Kind.MODEL_VERSION, "fraud", "1")) == MODEL_1
    assert client.find_path(Reference(Kind.PROJECT, "fraud")) == FRAUD
    assert client.find_path(Reference(Kind.TENANT, "globex")) == GLOBEX
    with pytest.raises(Ambiguous, match="which version of model/fraud"):
        client.new_path(Reference(Kind.MODEL_VERSION, "fraud"))
    with pytest.raises(InvalidIntent):
        client.find_path(Reference(Kind.SCHEDULE, "no--name"))


def test_platform_admins_reach_what_lies_outside_tenants(world: ServedWorld) -> None:
    with Client(world.url(ADMIN, PLATFORM_HOST)) as client:
        assert client.tenant == ""
        assert {ACME, GLOBEX, TRAIN} < {item.path for item in client.intents.list()}
        assert client.find_path(Reference(Kind.TEMPLATE, "train")) == TRAIN
        with pytest.raises(Ambiguous, match="which tenant"):
            client.find_path(Reference(Kind.SCHEDULE, "nightly"))
    with Client(world.url(STRANGER, PLATFORM_HOST), tenant="globex") as client:
        assert (client.tenant, client.project) == ("globex", "churn")
        assert [item.path for item in client.intents.list(Kind.PROJECT)] == [CHURN]
        with pytest.raises(NotFound):
            client.intents.get(RUN)


def test_runs_are_started_and_seen_at_once(client: Client) -> None:
    started = client.runs.start("train", {"rounds": 2}, name="by-hand")
    assert (started.name, started.project, started.created) == ("by-hand", "fraud", True)
    run = client.runs.get("by-hand")
    assert (run.uid, run.template, run.state, run.tasks) == (started.uid, "train@1.0.0", "created", ())
    assert list(client.runs.list()) == [], "the reconciler has not seen it"
    cancelled = client.runs.cancel("by-hand")
    assert b"desired: Cancelled" in client.intents.get(cancelled.paths[0]).content
    with pytest.raises(NotFound):
        client.runs.log("by-hand", "train")
    with pytest.raises(NotFound):
        client.runs.artifact("by-hand", "train", "model")


def test_deployments_models_and_the_catalog_are_seen(client: Client) -> None:
    deployment = client.deployments.get("scoring")
    assert (deployment.ready, deployment.served) == (False, ())
    assert [(each.name, each.model) for each in deployment.spec.versions] == [("v1", "fraud@1")]
    assert deployment.rollout is not None
    assert [(each.name, each.weight) for each in deployment.rollout.live] == [("v1", 100)]
    assert client.deployments.list() == (deployment,)
    spec: dict[str, JsonValue] = {
        "runtime": "triton",
        "versions": [{"name": "v2", "model": "fraud@2"}],
        "traffic": {"replace": {}},
    }
    client.deployments.put("scoring", spec, expects=deployment.blob)
    assert [each.model for each in client.deployments.get("scoring").spec.versions] == ["fraud@2"]
    client.deployments.roll_back("scoring", "v2 is odd")
    held = client.deployments.get("scoring").rollout
    assert held is not None
    assert held.hold == {"reason": "v2 is odd", "by": DEVELOPER}
    with pytest.raises(Refused, match="goes back to it already"):
        client.deployments.roll_back("scoring", "once more")
    assert [each.id for each in client.models.versions("fraud")] == ["fraud@1", "fraud@2"]
    assert "train@1.0.0" in [each.id for each in client.templates()]
    assert client.template(Reference(Kind.TEMPLATE, "train")).id == "train@1.0.0"
    assert client.events() == ()


def test_what_is_refused_is_told_by_what_is_next(world: ServedWorld) -> None:
    with Client(world.url(VIEWER)) as viewer, pytest.raises(Refused, match="may not change this") as raised:
        viewer.intents.put(RUN, BODY)
    assert (raised.value.code, raised.value.status) == ("forbidden", 403)
    with Client(world.url(STRANGER)) as stranger, pytest.raises(Refused, match="no member of acme"):
        stranger.intents.get(RUN)
    with Client(Address.here(1, "acme.ml.localhost"), patience=Patience(0)) as nobody:
        with pytest.raises(Unavailable, match="does not answer"):
            nobody.intents.get(RUN)
        with pytest.raises(Unavailable) as unknown:
            nobody.intents.put(RUN, BODY)
    assert unknown.value.key
