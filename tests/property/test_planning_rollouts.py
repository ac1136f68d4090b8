"""The replace walk from any state it can reach: it converges, and is safe at every step."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from intents.kinds.model_deployment import ModelDeploymentSpec
from intents.kinds.rollout import RolloutSpec
from intents.writing import blob_id
from reconciler.planning.observations import ServerState
from reconciler.planning.rollouts import Step, next_step, roll_back
from reconciler.planning.serving import Served, ServedVersion
from tests.fixtures.trees import version_spec

NAMES = ("v1", "v2", "v3")
MANY = 30
"""More steps than any walk has."""


def deployment(name: str, replicas: int, timeout: int) -> ModelDeploymentSpec:
    version = version_spec(name, f"fraud@{name[1:]}", name[1:], replicas={"min": 1, "max": replicas})
    return ModelDeploymentSpec.model_validate(
        {
            "runtime": "triton",
            "versions": [version],
            "traffic": {"replace": {}},
            "endpoint": {"timeout": f"{timeout}s"},
        }
    )


@dataclass
class World:
    """What servers do while documents change: which are up, and which still answer requests."""

    up: set[str] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)

    def served(self, rollout: RolloutSpec) -> Served:
        versions = tuple(
            ServedVersion(
                item.name,
                item.model,
                item.digest,
                item.weight,
                ServerState.READY if item.name in self.up else ServerState.STARTING,
                active_requests=2 if item.weight == 0 and item.name in self.busy else 0,
            )
            for item in rollout.live
        )
        taking = {item.name for item in rollout.live if item.weight > 0}
        return Served("acme", "fraud", "scoring", "i" * 40, "r" * 40, versions, routed=taking <= self.up)


class ReplaceWalk(RuleBasedStateMachine):
    """People change the deployment and roll back, servers come and go, the controller takes steps."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = deployment("v1", 1, 1)
        self.rollout: RolloutSpec | None = None
        self.world = World()
        self.meanings: dict[str, tuple[str, str]] = {}

    @property
    def blob(self) -> str:
        return blob_id(self.asked.model_dump_json().encode())

    @rule(name=st.sampled_from(NAMES), replicas=st.integers(1, 2), timeout=st.integers(1, 2))
    def person_changes_the_deployment(self, name: str, replicas: int, timeout: int) -> None:
        self.asked = deployment(name, replicas, timeout)

    @rule(up=st.sets(st.sampled_from(NAMES)), busy=st.sets(st.sampled_from(NAMES)))
    def servers_change(self, up: set[str], busy: set[str]) -> None:
        self.world = World(up, busy)

    @precondition(lambda self: self.rollout is not None)
    @rule()
    def person_rolls_back(self) -> None:
        assert self.rollout is not None
        step = roll_back(self.rollout, self.blob, "errors", "ana")
        if step is not None:
            self.take(step, by_person=True)

    @rule(observed=st.booleans())
    def controller_turns(self, observed: bool) -> None:
        seen = self.world.served(self.rollout) if self.rollout and observed else None
        step = next_step(self.asked, self.blob, self.rollout, seen)
        if step is not None:
            self.take(step, seen)

    def take(self, step: Step, seen: Served | None = None, *, by_person: bool = False) -> None:
        before, self.rollout = self.rollout, step.rollout
        assert step.rollout != before, "a step changes something"
        if before is None:
            return
        after = {item.name: item.weight for item in step.rollout.live}
        for item in before.live:
            known = seen.version(item.name) if seen else None
            if item.name not in after:
                assert item.weight == 0, "no version with traffic is dropped"
                assert known is not None, "none is dropped unseen"
                assert known.active_requests == 0, "none is dropped before it is drained"
            elif after[item.name] > item.weight and not by_person:
                assert known is not None
                assert known.state is ServerState.READY, "traffic goes to what answers"

    @invariant()
    def weights_make_a_whole(self) -> None:
        if self.rollout is not None:
            assert sum(item.weight for item in self.rollout.live) == 100
            assert len({item.name for item in self.rollout.live}) == len(self.rollout.live)
            assert sum(item.weight for item in self.rollout.last_good) in {0, 100}

    @invariant()
    def a_name_never_gets_another_digest(self) -> None:
        for item in self.rollout.live if self.rollout else ():
            assert self.meanings.setdefault(item.name, (item.model, item.digest)) == (item.model, item.digest)

    @invariant()
    def the_walk_converges_once_servers_are_up_and_idle(self) -> None:
        calm, rollout = World(set(NAMES)), self.rollout
        for _ in range(MANY):
            seen = calm.served(rollout) if rollout else None
            step = next_step(self.asked, self.blob, rollout, seen)
            if step is None:
                break
            rollout = step.rollout
        assert rollout is not None
        wanted = rollout.last_good[0].name if rollout.hold else self.asked.versions[0].name
        assert [(item.name, item.weight) for item in rollout.live] == [(wanted, 100)]
        assert rollout.of == self.blob
        if not rollout.hold:
            assert rollout.live[0].replicas == self.asked.versions[0].replicas


TestReplaceWalk = ReplaceWalk.TestCase
TestReplaceWalk.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
