"""Git over HTTP, asked by git itself: who may clone and push, and what becomes of what is pushed."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import pytest

from api.http import pushes
from reconciler.planning.writing import RequestId, WriteRequest
from reconciler.ports.repository import CommitInfo
from reconciler.stores.fake_requests import MemoryQueue
from tests.fixtures.git_world import Clone, GitWorld, git, git_world
from tests.fixtures.trees import ACME, GLOBEX, small_specs
from tests.fixtures.write_world import ACME as ACME_HOST
from tests.fixtures.write_world import ADMIN, PLATFORM_HOST, write_world
from tests.support.repositories import DEVELOPER, intent

pytestmark = pytest.mark.anyio

RUNS = "tenants/acme/projects/fraud/runs/2026-11-23"
ROOT = Path(__file__).resolve().parents[2]
NOTES = "templates/train/1.0.0/notes.txt"
MEMBERS = {
    **small_specs()[ACME],
    "members": [{"user": ADMIN, "roles": ["developer"]}, {"user": DEVELOPER, "roles": ["developer"]}],
}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that the platform's processes run on: its pipes behave otherwise where the other end is gone."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[GitWorld]:
    """A platform whose admin is a developer of acme as well."""
    async with git_world(write_world(tmp_path, {ACME: MEMBERS}), tmp_path) as made:
        yield made
        await nothing_left(made)


async def nothing_left(world: GitWorld) -> None:
    """What is pushed is in the repository as requests or not at all, and its folder goes with it."""
    async with asyncio.timeout(20):
        while [*(world.folder / "pushes").glob("*")]:
            await asyncio.sleep(0.01)
    sound = await git(world.writes.repository.path, "fsck", "--full", "--strict")
    assert sound.ok, sound.text
    packed = await git(world.writes.repository.path, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)")
    assert packed.text.split().count("commit") == len(history(world)) + 1


def run(rounds: object = 100) -> bytes:
    return intent(f"{RUNS}/x.yaml", {"template": "train@1.0.0", "parameters": {"rounds": rounds}})


async def theirs(world: GitWorld, files: Mapping[str, bytes | None], subject: str = "Theirs") -> str:
    """Have somebody else write to main; return the commit."""
    writes = [{"path": path, "content": body.decode() if body else None} for path, body in files.items()]
    who = (DEVELOPER, ACME_HOST) if any("/projects/" in path for path in files) else (ADMIN, PLATFORM_HOST)
    async with world.writes.client(*who) as client:
        answer = await client.post("/api/v1/changes?wait=10", json={"subject": subject, "writes": writes})
    assert answer.is_success, answer.text
    made: str = answer.json()["commit"]
    return made


def history(world: GitWorld) -> list[CommitInfo]:
    """Return the commits of main, the seed left out."""
    return [*world.writes.repository.between(None, world.writes.head)][1:]


def at_head(world: GitWorld, path: str) -> bytes | None:
    return world.writes.repository.read(world.writes.head, path)


async def test_a_platform_admin_clones_and_fetches(world: GitWorld) -> None:
    clone = await world.clone()
    assert (clone.folder / ACME).read_bytes() == at_head(world, ACME)
    made = await theirs(world, {f"{RUNS}/a.yaml": run()})
    await clone.did("fetch", "--quiet")
    assert (await clone.did("rev-parse", "origin/main")).text.strip() == made


@pytest.mark.parametrize("version", ["0", "2"])
async def test_every_protocol_shows_main_changes_and_manifests_alone(world: GitWorld, version: str) -> None:
    repository = world.writes.repository
    head = world.writes.head
    for ref in ("refs/heads/change/a", "refs/heads/rendered/local", "refs/heads/other", "refs/tags/v1", "refs/x/y"):
        repository.move(ref, None, head)
    said = await git(world.folder, "-c", f"protocol.version={version}", "ls-remote", world.address)
    refs = {line.split("\t")[1] for line in said.text.splitlines()}
    assert refs == {"HEAD", "refs/heads/main", "refs/heads/change/a", "refs/heads/rendered/local"}


async def test_a_shallow_clone_can_push(world: GitWorld) -> None:
    for number in range(3):
        await theirs(world, {f"{RUNS}/a{number}.yaml": run()})
    said = await git(world.folder, "clone", "--quiet", "--depth=1", world.address, "shallow")
    assert said.ok, said.text
    clone = Clone(world.folder / "shallow")
    await clone.commit({f"{RUNS}/b.yaml": run()})
    assert (await clone.push()).ok


@pytest.mark.parametrize(
    ("host", "path", "user", "expected"),
    [
        ("ml.localhost", "", DEVELOPER, f"remote: {DEVELOPER} is no platform admin"),
        ("ml.localhost", "", "ordain-scheduler", "remote: no person is called ordain-…"),
        ("acme.ml.localhost", "", ADMIN, "remote: git is for platform admins, at ml.localhost"),
        ("ml.localhost", "/t/acme", ADMIN, "remote: git is for platform admins, at ml.localhost"),
        ("nowhere.ml.localhost", "", ADMIN, "remote: host nowhere.ml.localhost does not exist"),
        ("ml.localhost", "", "", "could not read Username"),
    ],
)
async def test_nobody_else_reads_or_writes(world: GitWorld, host: str, path: str, user: str, expected: str) -> None:
    address = world.address_at(host).replace("/git/", f"{path}/git/")
    clone = await world.clone()
    await clone.commit({f"{RUNS}/a.yaml": run()})
    for words in (("ls-remote", address), ("push", address, "main")):
        said = await git(clone.folder, *words, user=user)
        assert not said.ok
        assert expected in said.text
    assert history(world) == []


async def test_only_the_smart_protocol_is_spoken(world: GitWorld) -> None:
    headers = {"X-Forwarded-User": ADMIN, "Host": f"ml.localhost:{world.port}"}
    kind = "application/x-git-receive-pack-request"
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{world.port}/git/ordain.git/", headers=headers, trust_env=False
    ) as client:
        for path in ("HEAD", "info/refs", "objects/info/packs", "config", "info/refs?service=git-upload-archive"):
            assert (await client.get(path)).status_code in {404, 405}, path
        assert (
            await client.post("git-receive-pack", content=b"0000")
        ).status_code == httpx.codes.UNSUPPORTED_MEDIA_TYPE
        noise = await client.post("git-receive-pack", headers={"Content-Type": kind}, content=b"noise" * 1000)
        assert noise.status_code < httpx.codes.INTERNAL_SERVER_ERROR


async def test_a_push_is_a_request_a_commit_with_author_message_and_pusher_kept(world: GitWorld) -> None:
    clone = await world.clone()
    await clone.commit({f"{RUNS}/a.yaml": run(), NOTES: b"read me"})
    await clone.did(
        "commit",
        "--quiet",
        "--amend",
        "--author=Zoë <zoe@acme.example>",
        "--date=2026-11-20T10:00:00+01:00",
        "--message=Train anew\n\nBecause.\n\nOrdain-Pushed-By: somebody",
    )
    pushed = await clone.did("rev-parse", "HEAD")
    await clone.commit({NOTES: None, f"{RUNS}/b.yaml": run(7)}, "Another")
    said = await clone.push()
    assert said.ok, said.text
    first, second = history(world)
    assert (first.author.name, first.author.email, first.subject) == ("Zoë", "zoe@acme.example", "Train anew")
    assert first.asked_by == ADMIN
    assert first.trailers["Ordain-Pushed-By"] == (ADMIN,)
    assert first.trailers["Ordain-Cause"] == (f"pushed as {pushed.text.strip()}",)
    assert first.trailers["Ordain-Intent"] == (NOTES, f"{RUNS}/a.yaml")
    message = await clone.did("--git-dir", str(world.writes.repository.path), "show", "-s", "--format=%B%ad", first.id)
    assert message.text.startswith("Train anew\n\nBecause.\n\nOrdain-Pushed-By: somebody\n\nOrdain-Request: ")
    assert "Fri Nov 20 09:00:00 2026 +0000" in message.text
    assert (at_head(world, NOTES), at_head(world, f"{RUNS}/b.yaml")) == (None, run(7))
    assert f"{second.id[:7]}  main -> main" in said.text
    assert f"(Another) is {second.id[:10]} on main" in said.remote


async def test_what_main_made_of_a_push_is_taken_over_by_a_rebase(world: GitWorld) -> None:
    clone = await world.clone()
    await clone.commit({f"{RUNS}/a.yaml": run()})
    await clone.commit({f"{RUNS}/b.yaml": run()})
    assert (await clone.push()).ok
    await clone.did("pull", "--quiet", "--rebase")
    assert (await clone.did("rev-parse", "HEAD")).text.strip() == world.writes.head
    again = await clone.push()
    assert again.ok
    assert again.remote == "all of this is on main already"


async def test_main_may_have_moved_meanwhile(world: GitWorld) -> None:
    clone = await world.clone()
    for number in range(30):
        await theirs(world, {f"{RUNS}/theirs-{number}.yaml": run()})
    await clone.commit({f"{RUNS}/mine.yaml": run()})
    assert (await clone.push()).ok
    assert at_head(world, f"{RUNS}/mine.yaml") == at_head(world, f"{RUNS}/theirs-29.yaml") == run()


async def test_a_path_that_others_changed_is_told_and_nothing_of_the_push_is_written(world: GitWorld) -> None:
    clone = await world.clone()
    head = await theirs(world, {GLOBEX: globex("4")})
    await clone.commit({f"{RUNS}/mine.yaml": run()})
    await clone.commit({GLOBEX: globex("5")}, "Later")
    said = await clone.push()
    assert not said.ok
    assert f"{GLOBEX}: error[conflict]: somebody else changed it since the commit's parent" in said.remote
    assert "hint: git pull --rebase" in said.remote
    assert said.remote.endswith("nothing was written")
    assert "[remote rejected] main -> main (1 problem: conflict)" in said.text
    assert world.writes.head == head


def globex(name: str) -> bytes:
    return intent(GLOBEX, {**small_specs()[GLOBEX], "displayName": name})


async def test_a_refusal_reads_as_ordain_validate_tells_it(world: GitWorld) -> None:
    clone = await world.clone()
    await clone.commit({f"{RUNS}/a.yaml": run("many")}, "Train \x1b[31mmore")
    said = await clone.push()
    assert not said.ok
    told = said.remote.splitlines()
    assert told[0].endswith(" (Train �[31mmore): 1 problem: invalid-parameter")
    assert told[1].startswith(f"{RUNS}/a.yaml:6:13: error[invalid-parameter]: ")
    assert told[2:4] == ["  6 |     rounds: many", "    |             ^"]
    assert history(world) == []


async def test_the_pusher_counts_and_no_author(world: GitWorld) -> None:
    clone = await world.clone()
    path = "tenants/globex/projects/churn/runs/2026-11-23/a.yaml"
    await clone.commit({path: run()})
    await clone.did("commit", "--quiet", "--amend", "--no-edit", "--author=gus@globex.example <gus@globex.example>")
    said = await clone.push()
    assert not said.ok
    assert f"{path}: error[forbidden]: {ADMIN} may not change this; members of globex" in said.remote


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("origin", "HEAD:refs/heads/topic"), "only main and open changes are pushed to"),
        (("origin", "HEAD:refs/tags/v1"), "only main and open changes are pushed to"),
        (("origin", "HEAD:refs/heads/change/mine"), "no change is named so: push to main"),
        (("origin", "HEAD:refs/heads/rendered/local"), "only main and open changes are pushed to"),
        (("--atomic", "origin", "HEAD:main", "HEAD:topic"), "the receiving end does not support --atomic push"),
        (("origin", ":main"), "remote ref does not exist"),
        (("origin", "HEAD~1:refs/heads/main"), "main is ahead of it, and holds all of it: git pull"),
        (("--force", "origin", "HEAD~1:refs/heads/main"), "main is ahead of it, and holds all of it: git pull"),
        (("origin", "main^{tree}:refs/heads/main"), "this is no commit"),
    ],
)
async def test_nothing_else_moves(world: GitWorld, words: tuple[str, ...], reason: str) -> None:
    await theirs(world, {f"{RUNS}/theirs.yaml": run()})
    before = world.writes.repository.head(), await git(world.folder, "ls-remote", world.address)
    clone = await world.clone()
    said = await clone.push(*words)
    assert not said.ok
    assert reason in said.text
    assert (world.writes.repository.head(), await git(world.folder, "ls-remote", world.address)) == before


async def test_other_refs_of_a_push_are_answered_on_their_own(world: GitWorld) -> None:
    clone = await world.clone()
    await clone.commit({f"{RUNS}/a.yaml": run()})
    said = await clone.push("origin", "HEAD:main", "HEAD:topic")
    assert not said.ok
    assert "HEAD -> main" in said.text
    assert "[remote rejected] HEAD -> topic (only main and open changes are pushed to" in said.text
    assert [each.subject for each in history(world)] == ["Change"]
    assert world.writes.repository.head("refs/heads/topic") is None


async def test_a_forced_push_takes_nothing_away(world: GitWorld) -> None:
    clone = await world.clone()
    first = await theirs(world, {f"{RUNS}/theirs.yaml": run()})
    await clone.commit({f"{RUNS}/mine.yaml": run()})
    assert (await clone.push("--force", "origin", "main")).ok
    assert history(world)[0].id == first
    assert at_head(world, f"{RUNS}/theirs.yaml") == run()


async def test_a_merge_without_decisions_is_told_as_the_commits_it_merges(world: GitWorld) -> None:
    clone = await world.clone()
    await clone.did("switch", "--quiet", "--create=topic")
    await clone.commit({f"{RUNS}/a.yaml": run()}, "On topic")
    await clone.did("switch", "--quiet", "main")
    await clone.commit({f"{RUNS}/b.yaml": run()}, "On main")
    await clone.did("merge", "--quiet", "--no-ff", "--message=Merge", "topic")
    await clone.commit({f"{RUNS}/c.yaml": run()}, "After")
    assert (await clone.push()).ok
    assert {each.subject for each in history(world)[:2]} == {"On topic", "On main"}
    assert [each.subject for each in history(world)[2:]] == ["After"]


async def test_a_merge_of_what_was_pushed_before_brings_only_what_is_new(world: GitWorld) -> None:
    clone = await world.clone()
    await clone.commit({f"{RUNS}/a.yaml": run()}, "First")
    assert (await clone.push()).ok
    await clone.did("pull", "--quiet", "--no-rebase", "--no-edit")
    await clone.commit({f"{RUNS}/b.yaml": run()}, "Second")
    assert (await clone.push()).ok
    assert [each.subject for each in history(world)] == ["First", "Second"]


async def test_a_merge_that_decides_something_is_refused(world: GitWorld) -> None:
    clone = await world.clone()
    await clone.did("switch", "--quiet", "--create=topic")
    await clone.commit({GLOBEX: globex("4")})
    await clone.did("switch", "--quiet", "main")
    await clone.commit({GLOBEX: globex("5")})
    assert not (await clone.git("merge", "--quiet", "topic")).ok
    await clone.commit({GLOBEX: globex("6")}, "Merge")
    said = await clone.push()
    assert not said.ok
    assert f"{GLOBEX}: error[unfit-merge]" in said.remote
    assert history(world) == []


async def test_unrelated_history_is_refused(world: GitWorld) -> None:
    clone = await world.clone()
    await clone.did("switch", "--quiet", "--orphan", "new")
    await clone.commit({f"{RUNS}/a.yaml": run()})
    said = await clone.push("origin", "HEAD:main")
    assert "unrelated history: begin from a clone of main" in said.text
    assert not said.ok


async def test_a_later_commit_is_not_written_without_the_one_before(
    world: GitWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody is faster between the look at main and the writer's turn: the writer alone refuses the second."""
    clone = await world.clone()
    await clone.commit({f"{RUNS}/first.yaml": run()}, "First")
    await clone.commit({GLOBEX: globex("4")}, "Second")
    await clone.commit({f"{RUNS}/third.yaml": run()}, "Third")
    put, faster = MemoryQueue.put, [GLOBEX]

    async def beaten(queue: MemoryQueue, request: WriteRequest) -> RequestId:
        while faster:
            await theirs(world, {faster.pop(): globex("9")})
        return await put(queue, request)

    monkeypatch.setattr(MemoryQueue, "put", beaten)
    said = await clone.push()
    assert not said.ok
    assert f"{GLOBEX}: error[conflict]: somebody else changed it" in said.remote
    assert "(First) is" in said.remote
    assert said.remote.endswith("nothing else of this push was written")
    assert [each.subject for each in history(world)] == ["Theirs", "First"]


async def test_what_the_writer_has_not_answered_is_pushed_again_and_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushes, "ANSWERED_WITHIN", 0.5)
    writes = write_world(tmp_path, {ACME: MEMBERS})
    async with git_world(writes, tmp_path, writing=False) as world:
        clone = await world.clone()
        await clone.commit({f"{RUNS}/a.yaml": run()}, "First")
        await clone.commit({f"{RUNS}/b.yaml": run()}, "Second")
        said = await clone.push()
        assert not said.ok
        assert "the writer has not come to it yet: push again, nothing is written twice" in said.text
        assert len(writes.world.requests.rows) == 2
        monkeypatch.setattr(pushes, "ANSWERED_WITHIN", 30.0)
        async with writes.writing():
            assert (await clone.push()).ok
            assert (await clone.push()).ok
        assert [each.subject for each in history(world)] == ["First", "Second"]
        assert len(writes.world.requests.rows) == 2


async def test_a_commit_that_was_refused_is_pushed_again_once_the_reason_is_gone(world: GitWorld) -> None:
    clone = await world.clone()
    await clone.commit({GLOBEX: globex("4")}, "Later")
    refused = await clone.did("rev-parse", "HEAD")
    body, put, faster = world.writes.repository.read(world.writes.head, GLOBEX), MemoryQueue.put, [GLOBEX]

    async def beaten(queue: MemoryQueue, request: WriteRequest) -> RequestId:
        while faster:
            await theirs(world, {faster.pop(): globex("9")})
        return await put(queue, request)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(MemoryQueue, "put", beaten)
        assert "error[conflict]" in (await clone.push()).remote
    await theirs(world, {GLOBEX: body}, "Back")
    assert (await clone.push()).ok
    assert [each.subject for each in history(world)] == ["Theirs", "Back", "Later"]
    assert history(world)[-1].trailers["Ordain-Cause"] == (f"pushed as {refused.text.strip()}",)


async def test_two_pushes_of_the_same_commit_are_one_request(world: GitWorld) -> None:
    one = await world.clone("one")
    await one.commit({f"{RUNS}/a.yaml": run()})
    await one.did("clone", "--quiet", ".", "../two")
    two = Clone(world.folder / "two")
    await two.did("remote", "set-url", "origin", world.address)
    said = await asyncio.gather(one.push(), two.push())
    assert [each.ok for each in said] == [True, True]
    assert len(history(world)) == 1


async def test_a_push_gets_through_while_others_write(world: GitWorld) -> None:
    clone, done = await world.clone(), asyncio.Event()

    async def others(name: str) -> None:
        for number in itertools.count():
            if done.is_set():
                return
            await theirs(world, {f"{RUNS}/{name}-{number}.yaml": run()})

    writing = [asyncio.create_task(others(name)) for name in "abcde"]
    for number in range(5):
        await clone.commit({f"{RUNS}/mine-{number}.yaml": run()}, f"Mine {number}")
        assert (await clone.push()).ok
    done.set()
    await asyncio.gather(*writing)
    mine = [each.subject for each in history(world) if each.subject.startswith("Mine")]
    assert mine == [f"Mine {number}" for number in range(5)]
    assert len(history(world)) > 20


async def test_a_template_is_pushed_with_its_package_or_not_at_all(world: GitWorld) -> None:
    clone, folder = await world.clone(), "templates/hello/1.0.0"
    files = {
        f"{folder}/{name}": (ROOT / folder / name).read_bytes()
        for name in ("template.yaml", "pipeline.yaml", "pipeline.py")
    }
    await clone.commit({f"{folder}/template.yaml": files[f"{folder}/template.yaml"]})
    assert "error[invalid-package]" in (await clone.push()).remote
    await clone.did("reset", "--quiet", "--hard", "HEAD~1")
    await clone.commit(files, "Hello")
    assert (await clone.push()).ok
    assert at_head(world, f"{folder}/pipeline.py") == files[f"{folder}/pipeline.py"]


async def test_a_source_that_somebody_else_changed_is_a_conflict(world: GitWorld) -> None:
    path = "templates/train/1.0.0/pipeline.py"
    one, two = await world.clone("one"), await world.clone("two")
    await one.commit({path: b"one\n"})
    assert (await one.push()).ok
    await two.commit({path: b"two\n"})
    said = await two.push()
    assert f"{path}: error[conflict]" in said.remote
    assert at_head(world, path) == b"one\n"
