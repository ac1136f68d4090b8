"""The hydrator on a real repository: one commit a change, quarantine, other hands on the branch."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reconciler.planning.events import Fact
from reconciler.planning.hydration import METADATA, rendered_ref
from reconciler.planning.serving import Condition
from reconciler.ports.errors import Conflict
from reconciler.ports.repository import NewCommit
from reconciler.stores.git.repository import GitRepository
from reconciler.workers.hydrator import Hydrator
from reconciler.workers.loop import Turned
from reconciler.workers.rendered_branch import RenderedBranch
from reconciler.workers.tree_at_head import TreeAtHead
from renderers import rendering
from renderers.canonical import Manifest, to_yaml
from renderers.rendering import render_cluster
from renderers.unit import UnitKind
from tests.fixtures.tenancy import full_specs
from tests.fixtures.trees import CHURN, DEPLOYMENT, FRAUD, GLOBEX, ROLLOUT, RUN, TRAINING_JOB, small_specs
from tests.support.repositories import NOON, PLATFORM, commit, intent

REF = rendered_ref("local")
SPECS = small_specs()
SECOND = "tenants/acme/projects/fraud/deployments/second.yaml"


@dataclass
class Conditions:
    """A status ledger that keeps the conditions, and can be away."""

    kept: dict[tuple[str, str], Condition] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    away: bool = False

    async def record_condition(
        self, tenant: str, project: str, deployment: str, condition: Condition, commit: str, fact: Fact | None
    ) -> bool:
        if self.away:
            raise ConnectionError
        self.kept[f"{tenant}/{project}/{deployment}", condition.type] = condition
        self.facts.extend([fact] if fact else [])
        return True


@dataclass
class World:
    """A repository with a tree on main, and its hydrator."""

    repository: GitRepository
    status: Conditions = field(default_factory=Conditions)
    hydrator: Hydrator = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Go on with a successor that remembers nothing."""
        head = TreeAtHead(self.repository)
        self.hydrator = Hydrator(self.repository, head, self.status, "local", PLATFORM, lambda: NOON)  # type: ignore[arg-type]

    def turn(self, change: Mapping[str, dict[str, Any] | None] | None = None) -> Turned:
        """Commit a change to main, and let the hydrator look once."""
        if change:
            files = {path: None if spec is None else intent(path, spec) for path, spec in change.items()}
            commit(self.repository, files, "Change something")
        return asyncio.run(self.hydrator.turn())

    @property
    def branch(self) -> str:
        head = self.repository.head(REF)
        assert head is not None
        return head

    def files(self) -> dict[str, bytes]:
        """Return the manifests on the branch."""
        found = self.repository.files(self.branch)
        return {each.path: self.repository.blob(each.blob) for each in found if each.blob and METADATA not in each.path}

    def wanted(self) -> dict[str, bytes]:
        """Return what the whole tree at head is rendered to."""
        manifests = render_cluster(self.hydrator.head.tree, "local")
        return {path: to_yaml(manifest) for path, manifest in manifests.items()}

    def since(self, commit: str) -> set[str]:
        """Return the paths that differ from a commit of the branch."""
        return {change.path for change in self.repository.changes(commit, self.branch)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(GitRepository.create(tmp_path / "state.git"))
    assert made.turn(SPECS) is Turned.ONE
    return made


def test_the_branch_holds_the_whole_tree(world: World) -> None:
    assert world.files() == world.wanted()
    assert {path.split("/")[0] for path in world.files()} == {"platform", "acme"}
    assert world.turn() is Turned.IDLE


def test_a_change_touches_its_own_files_and_their_folders_metadata(world: World) -> None:
    before = world.branch
    world.turn({GLOBEX: {**SPECS[GLOBEX], "egress": [{"to": "10.0.0.0/8", "ports": [443]}]}})
    folder = "platform/tenants/globex"
    assert world.since(before) == {f"{folder}/churn-networkpolicy-egress.yaml", f"{folder}/{METADATA}"}
    assert world.files() == world.wanted()


def test_an_equal_tree_makes_no_commit(world: World) -> None:
    before = world.branch
    assert world.turn({RUN: None}) is Turned.ONE
    assert world.turn({GLOBEX: {**SPECS[GLOBEX], "displayName": "Another"}}) is Turned.ONE
    world.restart()
    assert world.turn() is Turned.ONE
    assert world.branch == before


def test_metadata_names_the_commit_of_main(world: World) -> None:
    main = world.repository.head()
    body = world.repository.read(world.branch, f"acme/fraud/{METADATA}")
    assert body is not None
    assert json.loads(body) == {
        "drySha": main,
        "author": "ordain <ordain@localhost>",
        "date": "2026-11-23T12:00:00+00:00",
        "subject": "Change something",
    }
    assert world.repository.info(world.branch).trailers == {"Ordain-Source": (main,)}


def test_on_a_cluster_metadata_names_the_repository(tmp_path: Path) -> None:
    world = World(GitRepository.create(tmp_path / "state.git"))
    world.turn(full_specs())
    body = world.repository.read(world.branch, f"platform/cluster/{METADATA}")
    assert body is not None
    assert json.loads(body)["repoURL"] == "https://git.example/ordain.git"


def test_what_is_removed_goes_with_its_folder(world: World) -> None:
    world.turn({DEPLOYMENT: None, ROLLOUT: None, TRAINING_JOB: None, CHURN: None, GLOBEX: None})
    paths = {each.path for each in world.repository.files(world.branch)}
    assert not [path for path in paths if path.startswith(("acme/", "platform/tenants/globex/"))]
    assert world.files() == world.wanted()


def test_a_deployment_is_accepted_and_rendered(world: World) -> None:
    document = world.hydrator.head.tree.get(DEPLOYMENT)
    assert document is not None
    mine = {kind: each for (name, kind), each in world.status.kept.items() if name == "acme/fraud/scoring"}
    assert {kind: each.status for kind, each in mine.items()} == {"Accepted": True, "Rendered": True}
    assert {each.observed_blob for each in mine.values()} == {document.blob}
    assert world.status.facts[-1].data["rendered"] == world.branch


def test_what_could_not_be_recorded_is_recorded_later(world: World) -> None:
    world.status.away = True
    with pytest.raises(ConnectionError):
        world.turn({ROLLOUT: {**SPECS[ROLLOUT], "step": 7}})
    world.status.away = False
    assert world.turn() is Turned.ONE
    rollout = world.hydrator.head.tree.get(ROLLOUT)
    assert rollout is not None
    assert world.status.kept["acme/fraud/scoring", "Rendered"].message == f"rollout {rollout.blob[:12]}"


class Broken:
    """A renderer of deployments that cannot do `scoring`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._renderers = dict(rendering.RENDERERS)
        self._patch = monkeypatch
        monkeypatch.setattr(rendering, "RENDERERS", {**self._renderers, UnitKind.DEPLOYMENT: (self._fail,)})

    def _fail(self, tree: Any, unit: Any) -> list[Manifest]:
        if unit.name == "scoring":
            raise ValueError("no such runtime")
        return [manifest for each in self._renderers[UnitKind.DEPLOYMENT] for manifest in each(tree, unit)]

    def mend(self) -> None:
        self._patch.setattr(rendering, "RENDERERS", self._renderers)


def mine(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return what deployments of acme's fraud were rendered to."""
    return {path: body for path, body in files.items() if path.startswith("acme/fraud/") and "trainjob" not in path}


@pytest.mark.parametrize("successor", [False, True])
def test_one_that_cannot_be_rendered_stays_as_it_is_and_others_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch, successor: bool
) -> None:
    standing = mine(world.files())
    broken = Broken(monkeypatch)
    if successor:
        world.restart()
    world.turn(
        {
            ROLLOUT: {**SPECS[ROLLOUT], "step": 5},
            SECOND: SPECS[DEPLOYMENT],
            SECOND.replace(".yaml", ".rollout.yaml"): SPECS[ROLLOUT],
            GLOBEX: {**SPECS[GLOBEX], "hostnames": ["other"]},
        }
    )
    assert standing.items() <= mine(world.files()).items()
    assert any("second" in path for path in mine(world.files()))
    condition = world.status.kept["acme/fraud/scoring", "Rendered"]
    assert (condition.status, condition.reason) == (False, "RenderFailed")
    assert condition.message == "ValueError: no such runtime"
    assert world.status.kept["acme/fraud/second", "Rendered"].status
    broken.mend()
    world.turn({ROLLOUT: {**SPECS[ROLLOUT], "step": 6}})
    assert world.files() == world.wanted()


def test_fences_that_cannot_be_rendered_stay(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(tree: Any, unit: Any) -> list[Manifest]:
        raise ValueError("no such quota")

    standing = world.files()
    monkeypatch.setattr(rendering, "RENDERERS", {**rendering.RENDERERS, UnitKind.PROJECT: (fail,)})
    world.turn({CHURN: {**SPECS[CHURN], "quota": {"cpus": 3}}})
    assert world.files() == standing
    said = "project globex/churn cannot be rendered and stays as it is: ValueError: no such quota"
    assert said in caplog.text


def test_what_a_failed_unit_left_is_cleared_when_it_renders_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A successor does not know whose a file was; the rendering that follows says whose it is not."""
    broken = Broken(monkeypatch)
    world.restart()
    world.turn({ROLLOUT: {**SPECS[ROLLOUT], "step": 5}})
    broken.mend()
    world.turn({ROLLOUT: None})
    assert mine(world.files()) == {}


def test_hands_on_the_branch_are_undone_with_the_next_change(world: World) -> None:
    path = next(iter(mine(world.files())))
    stray: dict[str, bytes | None] = {path: b"kind: Edited\n", "acme/fraud/stray.yaml": b"kind: Stray\n"}
    new = NewCommit(PLATFORM, PLATFORM, NOON, "By hand\n", stray)
    (made,) = world.repository.append("hand", world.branch, [new])
    world.repository.move(REF, world.branch, made)
    world.turn({GLOBEX: {**SPECS[GLOBEX], "hostnames": ["other"]}})
    assert world.files() == world.wanted()


def test_a_lost_race_is_decided_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(world.repository, {FRAUD: intent(FRAUD, {**SPECS[FRAUD], "quota": {"cpus": 3}})})
    with monkeypatch.context() as patch:
        patch.setattr(world.repository, "move", _lose)
        with pytest.raises(Conflict):
            world.turn()
    assert world.files() != world.wanted()
    assert world.turn() is Turned.ONE
    assert world.files() == world.wanted()


def _lose(ref: str, old: str | None, new: str) -> None:
    raise Conflict(f"{ref} moved")


def test_of_the_branch_is_kept_what_deployments_were_rendered_to(world: World) -> None:
    branch = RenderedBranch(world.repository, "local")
    for change in (None, {ROLLOUT: {**SPECS[ROLLOUT], "step": 9}}, {DEPLOYMENT: None, ROLLOUT: None}):
        world.turn(change)
        assert branch.advance()
        kept = [each["kind"] for each in branch.by_path.values()]
        assert sorted(kept) == sorted(_kind(body) for body in mine(world.files()).values())
    assert branch.by_path == {}


def _kind(body: bytes) -> str:
    (line,) = (line for line in body.decode().splitlines() if line.startswith("kind: "))
    return line.removeprefix("kind: ")
