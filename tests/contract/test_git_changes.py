"""Pushes of what others have to approve, and pushes to the changes that come of them, by git itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from intents.authority import Principal
from reconciler.planning.changes import ChangeId, ChangeState
from tests.fixtures.approvals import APPROVER, BLUE, DEPLOY_SPEC, SECOND_SPEC, approved_specs
from tests.fixtures.git_world import Clone, GitWorld, Said, git, git_world
from tests.fixtures.trees import ACME, GLOBEX, PLATFORM, RUN, TRAIN, Specs
from tests.fixtures.write_world import ACME as ACME_HOST
from tests.fixtures.write_world import ADMIN, write_world
from tests.support.repositories import intent

pytestmark = pytest.mark.anyio

RUNS = "tenants/acme/projects/fraud/runs/2026-11-23"
ONE_RUN = intent(f"{RUNS}/a.yaml", {"template": "train@1.0.0", "parameters": {"rounds": 100}})
OPS = "ops@localhost"
FIRST, SECOND = intent(BLUE, DEPLOY_SPEC), intent(BLUE, SECOND_SPEC)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


def specs() -> Specs:
    """Return a tree where deployments need an approval, and two admins who develop in acme as well."""
    found = {path: spec for path, spec in approved_specs().items() if path not in {RUN, TRAIN, GLOBEX}}
    members = [*found[ACME]["members"], *({"user": user, "roles": ["developer"]} for user in (ADMIN, OPS))]
    found[ACME] = {**found[ACME], "members": members}
    found[PLATFORM] = {**found[PLATFORM], "admins": [{"user": ADMIN}, {"user": OPS}]}
    return found


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[GitWorld]:
    async with git_world(write_world(tmp_path, specs()), tmp_path) as made:
        seed = made.writes.head
        yield made
        sound = await git(made.writes.repository.path, "fsck", "--full", "--strict")
        assert sound.ok, sound.text
        assert made.writes.repository.descends(made.writes.head, seed)


def changes(world: GitWorld, state: ChangeState = ChangeState.OPEN) -> list[ChangeId]:
    known = world.writes.world.requests.changes.values()
    return [each.change.id for each in known if each.change.state is state]


def on_branch(world: GitWorld, change: str, path: str = BLUE) -> bytes | None:
    repository = world.writes.repository
    return repository.read(repository.head(f"refs/heads/change/{change}") or "", path)


async def opened(world: GitWorld, clone: Clone) -> ChangeId:
    """Push a deployment to main; return the change that it becomes."""
    await clone.commit({BLUE: FIRST}, "Deploy blue")
    said = await clone.push()
    assert said.ok, said.text
    (change,) = changes(world)
    return change


async def to(clone: Clone, change: str) -> Said:
    return await clone.push("origin", f"HEAD:refs/heads/change/{change}")


async def post(world: GitWorld, place: str, user: str, **body: Any) -> Any:
    async with world.writes.client(user, ACME_HOST) as client:
        answer = await client.post(f"/api/v1/changes/{place}?wait=10", json=body)
    assert answer.is_success, answer.text
    return answer.json()


async def merged(world: GitWorld, change: str) -> str:
    """Have others approve and merge; return the commit."""
    async with world.writes.client(APPROVER.user, ACME_HOST) as client:
        digest = (await client.get(f"/api/v1/changes/{change}")).json()["digest"]
    await post(world, f"{change}:approve", APPROVER.user, digest=digest)
    made: str = (await post(world, f"{change}:merge", APPROVER.user))["commit"]
    return made


async def test_what_needs_approval_becomes_a_change_of_who_pushed_it(world: GitWorld) -> None:
    clone, main = await world.clone(), world.writes.head
    await clone.commit({BLUE: FIRST}, "Deploy blue")
    await clone.did("commit", "--quiet", "--amend", "--no-edit", f"--author={APPROVER.user} <{APPROVER.user}>")
    said = await clone.push()
    (change,) = changes(world)
    assert said.ok
    assert f"main -> change/{change}" in said.text
    assert f"in change {change}" in said.remote
    assert f"others have to approve it: ordain change show {change}" in said.remote
    assert (world.writes.head, on_branch(world, change)) == (main, FIRST)
    record = world.writes.world.requests.changes[change]
    assert record.change.author == Principal(ADMIN)
    tip = world.writes.repository.info(record.change.head)
    assert (tip.author.name, tip.asked_by) == (APPROVER.user, ADMIN)


async def test_pushed_again_it_is_the_same_change_until_that_is_closed_or_merged(world: GitWorld) -> None:
    clone = await world.clone()
    change = await opened(world, clone)
    assert (await clone.push()).ok
    assert changes(world) == [change]
    await post(world, f"{change}:close", ADMIN)
    assert (await clone.push()).ok
    (second,) = changes(world)
    assert second != change
    commit = await merged(world, second)
    said = await clone.push()
    assert said.ok
    assert f"is {commit[:10]} on main" in said.remote
    assert (changes(world), world.writes.head) == ([], commit)


async def test_commits_of_which_one_needs_approval_are_one_change(world: GitWorld) -> None:
    clone, main = await world.clone(), world.writes.head
    await clone.commit({f"{RUNS}/a.yaml": ONE_RUN}, "Train")
    await clone.commit({BLUE: FIRST}, "Deploy blue")
    await clone.commit({BLUE: SECOND}, "Deploy blue anew")
    assert (await clone.push()).ok
    (change,) = changes(world)
    assert (world.writes.head, on_branch(world, change)) == (main, SECOND)
    assert on_branch(world, change, f"{RUNS}/a.yaml") == ONE_RUN
    assert world.writes.world.requests.changes[change].change.subject == "Deploy blue anew"
    assert (await clone.push()).ok
    assert changes(world) == [change]


async def test_more_is_pushed_to_the_change_and_merged_with_it(world: GitWorld) -> None:
    clone = await world.clone()
    change = await opened(world, clone)
    await clone.commit({BLUE: SECOND, f"{RUNS}/a.yaml": ONE_RUN}, "Deploy another version")
    on_main = await clone.push()
    assert not on_main.ok
    assert f"it builds on change {change}, which is not merged: git push origin HEAD:change/{change}" in on_main.text
    for _ in range(2):
        said = await to(clone, change)
        assert said.ok, said.text
        assert f"in change {change}" in said.remote
    assert (on_branch(world, change), on_branch(world, change, f"{RUNS}/a.yaml")) == (SECOND, ONE_RUN)
    head = await merged(world, change)
    assert world.writes.head == head
    assert world.writes.repository.read(head, BLUE) == SECOND
    assert changes(world, ChangeState.MERGED) == [change]


async def test_a_clone_that_fetched_the_change_builds_on_it(world: GitWorld) -> None:
    change = await opened(world, await world.clone())
    other = await world.clone("other")
    await other.did("switch", "--quiet", "--create=mine", f"origin/change/{change}")
    assert (await to(other, change)).ok
    await other.commit({BLUE: SECOND}, "Deploy another version")
    said = await to(other, change)
    assert said.ok, said.text
    assert on_branch(world, change) == SECOND
    await other.commit({BLUE: None, f"{RUNS}/a.yaml": ONE_RUN}, "Train instead")
    await other.did("pull", "--quiet", "--rebase", "origin", f"change/{change}")
    assert (await to(other, change)).ok
    assert world.writes.world.requests.changes[change].change.paths == (f"{RUNS}/a.yaml",)


async def test_another_version_of_what_the_change_holds_is_a_conflict(world: GitWorld) -> None:
    change = await opened(world, await world.clone())
    other = await world.clone("other")
    await other.commit({BLUE: SECOND}, "Deploy otherwise")
    said = await other.push("--force", "origin", f"HEAD:refs/heads/change/{change}")
    assert not said.ok
    assert f"{BLUE}: error[conflict]: the change holds another version than the commit's parent" in said.remote
    assert f"hint: git pull --rebase origin change/{change}" in said.remote
    assert on_branch(world, change) == FIRST


async def test_a_change_is_its_authors_alone(world: GitWorld) -> None:
    change = await opened(world, await world.clone())
    other = await world.clone("other", user=OPS)
    await other.commit({f"{RUNS}/a.yaml": ONE_RUN}, "Train")
    said = await to(other, change)
    assert not said.ok
    assert f"error[forbidden]: only {ADMIN} may update change {change}" in said.remote
    assert said.remote.endswith("nothing was written")


async def test_there_is_nothing_to_push_to_a_change_that_ended_or_never_was(world: GitWorld) -> None:
    clone = await world.clone()
    change = await opened(world, clone)
    await post(world, f"{change}:close", ADMIN)
    for name in (change, "0123456789"):
        said = await to(clone, name)
        assert not said.ok
        assert f"there is no open change {name}" in said.text
    world.writes.repository.move("refs/heads/change/0123456789", None, world.writes.head)
    assert "there is no open change 0123456789" in (await to(clone, "0123456789")).text
