"""Pushes that nobody in good faith makes: each is refused in words, nothing is written, nothing stays."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psutil
import pytest

from api.http import git as route
from reconciler.planning.proposing import MOST_PATHS
from reconciler.planning.pushes import MOST_COMMITS, MOST_FILE_BYTES, MOST_MESSAGE_BYTES
from reconciler.ports.git_service import Service
from reconciler.stores.git import http_backend
from reconciler.stores.git.pushed import MOST_OBJECTS
from tests.fixtures.git_world import Clone, GitWorld, git, git_world
from tests.fixtures.trees import ACME, GLOBEX
from tests.fixtures.write_world import write_world

pytestmark = pytest.mark.anyio

RUNS = "tenants/acme/projects/fraud/runs/2026-11-23"
NOTES = "templates/train/1.0.0/notes.txt"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that the platform's processes run on: its pipes behave otherwise where the other end is gone."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[GitWorld]:
    async with git_world(write_world(tmp_path), tmp_path) as made:
        head = made.writes.head
        yield made
        await until(lambda: not running() and not [*(tmp_path / "pushes").glob("*")])
        assert (made.writes.head, made.writes.world.requests.rows) == (head, {})


def running() -> list[str]:
    """Return what of git this process still has under it."""
    return [each.name() for each in psutil.Process().children(recursive=True) if "git" in each.name()]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


async def fast_import(clone: Clone, stream: bytes) -> None:
    """Add commits to the clone's main that no work tree could hold."""
    process = await asyncio.create_subprocess_exec(
        *("git", "fast-import", "--quiet", "--force"), cwd=clone.folder, stdin=asyncio.subprocess.PIPE
    )
    await process.communicate(stream)
    assert process.returncode == 0


def commit_of(*lines: bytes, on: bytes = b"from refs/heads/main^0\n") -> bytes:
    head = b"commit refs/heads/main\nauthor A <a@b> 0 +0000\ncommitter A <a@b> 0 +0000\ndata 6\nChange\n"
    return head + on + b"".join(lines) + b"\n"


def file(path: str, body: bytes = b"x", mode: str = "100644") -> bytes:
    return f"M {mode} inline {path}\n".encode() + b"data %d\n%s\n" % (len(body), body)


async def refused(clone: Clone, *reasons: str) -> None:
    said = await clone.push()
    assert not said.ok
    for reason in reasons:
        assert reason in said.text


@pytest.mark.parametrize(
    ("mode", "what"), [("100755", "an executable"), ("120000", "a symbolic link"), ("160000", "another repository")]
)
async def test_only_plain_files_are_taken(world: GitWorld, mode: str, what: str) -> None:
    clone = await world.clone()
    line = f"M {mode} {'1' * 40} {NOTES}\n".encode() if mode == "160000" else file(NOTES, b"/etc/passwd", mode)
    await fast_import(clone, commit_of(line))
    await refused(clone, f"remote: {NOTES}: error[not-a-plain-file]: this is {what}", "nothing was written")


@pytest.mark.parametrize("name", ["..", ".git", ".GIT", ".", "a/b"])
async def test_names_that_lead_elsewhere_are_refused_by_git_itself(world: GitWorld, name: str) -> None:
    clone = await world.clone()
    blob = (await clone.did("hash-object", "-w", ACME)).text.strip()
    entry = b"100644 " + name.encode() + b"\0" + bytes.fromhex(blob)
    (clone.folder / "raw").write_bytes(entry)
    tree = (await clone.did("hash-object", "-w", "-t", "tree", "--literally", "raw")).text.strip()
    made = (await clone.did("commit-tree", tree, "-p", "HEAD", "-m", "Change")).text.strip()
    await clone.did("update-ref", "refs/heads/main", made)
    await refused(clone, "remote: fatal: fsck error in packed object", "remote unpack failed")


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "tenants/acme/projects/fraud/PROJECT.yaml",
        "Tenants/acme/tenant.yaml",
        "templates/train/1.0.0/Pipeline.yaml",
        "templates/train/1.0.0/deep/er.py",
        '"tenants/acme/a\\nb.yaml"',
        '"tenants/acme/\\033[31m.yaml"',
        '"tenants/acme/\\377.yaml"',
        f"{RUNS}/{'x' * 300}.yaml",
        "platform/schemas/mine.json",
    ],
)
async def test_files_that_nothing_stands_for_are_refused(world: GitWorld, path: str) -> None:
    clone = await world.clone()
    await fast_import(clone, commit_of(file(path)))
    said = await clone.push()
    assert not said.ok
    assert "error[misplaced-file]" in said.remote or "error[invalid-name]" in said.remote
    assert "\x1b" not in said.text


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (NOTES, b"a\0b", "not-utf8"),
        (NOTES, b"\xff", "not-utf8"),
        (GLOBEX, b"a: \0", "yaml-syntax"),
        (GLOBEX, b"a: \xff", "not-utf8"),
        (GLOBEX, b"&a [*a, *a]", "yaml-feature"),
        (GLOBEX, b"# " + b"x" * (300 << 10), "too-large"),
        (NOTES, b"x" * (MOST_FILE_BYTES + 1), "too-large"),
        (NOTES, bytes(100 << 20), "too-large"),
    ],
    ids=lambda value: repr(value)[:20],
)
async def test_texts_are_read_within_bounds(world: GitWorld, path: str, body: bytes, code: str) -> None:
    clone = await world.clone()
    await fast_import(clone, commit_of(file(path, body)))
    await refused(clone, f"error[{code}]")


async def test_a_pack_beyond_its_bound_is_refused_while_it_comes(
    world: GitWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = await world.clone()
    await fast_import(clone, commit_of(file(NOTES, os.urandom(33 << 20))))
    await refused(clone, "remote: fatal: pack exceeds maximum allowed size (32.00 MiB)", "remote unpack failed")
    monkeypatch.setitem(route.MOST_BODY_BYTES, Service.PUSH, 1 << 20)
    await refused(clone, "the remote end hung up unexpectedly")


def commits(count: int) -> Iterator[bytes]:
    yield commit_of()
    yield from (commit_of(on=b"") for _ in range(count - 1))


def paths(count: int) -> Iterator[bytes]:
    yield commit_of(*(file(f"templates/train/1.0.0/n{number}.txt") for number in range(count)))


def objects(count: int) -> Iterator[bytes]:
    yield commit_of(*(file(f"templates/train/1.0.0/n{number}.txt", b"%d" % number) for number in range(count)))


def bytes_in_all(count: int) -> Iterator[bytes]:
    body = b"x" * MOST_FILE_BYTES
    yield commit_of(
        *(file(f"templates/train/1.0.0/n{number}.txt", b"%d" % number + body[9:]) for number in range(count))
    )


def folders(count: int) -> Iterator[bytes]:
    yield commit_of(file("/".join(["a"] * count)))


@pytest.mark.parametrize(
    ("made", "count", "reason"),
    [
        (commits, MOST_COMMITS + 1, f"more than {MOST_COMMITS} commits at once"),
        (paths, MOST_PATHS + 1, f"more than {MOST_PATHS} paths are changed at once"),
        (objects, MOST_OBJECTS, f"objects at once, at most {MOST_OBJECTS} fit"),
        (bytes_in_all, 17, "the files hold more than 16777216 bytes together"),
        (folders, 2000, "more folders than any tree of intents has"),
    ],
)
async def test_a_push_is_as_large_as_a_persons(
    world: GitWorld, made: Callable[[int], Iterator[bytes]], count: int, reason: str
) -> None:
    clone = await world.clone()
    await fast_import(clone, b"".join(made(count)))
    await refused(clone, reason)


async def test_a_tree_that_holds_itself_again_and_again_is_not_walked(world: GitWorld) -> None:
    clone = await world.clone()
    tree = (await clone.did("write-tree")).text.strip()
    for _ in range(9):
        entries = b"".join(b"40000 d%d\0" % number + bytes.fromhex(tree) for number in range(10))
        (clone.folder / "raw").write_bytes(entries)
        tree = (await clone.did("hash-object", "-w", "-t", "tree", "raw")).text.strip()
    made = (await clone.did("commit-tree", tree, "-p", "HEAD", "-m", "Change")).text.strip()
    await clone.did("update-ref", "refs/heads/main", made)
    await refused(clone, "more folders than any tree of intents has")


@pytest.mark.parametrize(
    ("message", "author", "reason"),
    [
        ("x" * (MOST_MESSAGE_BYTES + 1), "A <a@b>", f"its message has more than {MOST_MESSAGE_BYTES} bytes"),
        ("Change", "ordain-scheduler <a@b>", "its author ordain-scheduler is one of the platform's own principals"),
    ],
    ids=["message", "author"],
)
async def test_what_a_commit_says_of_itself_is_bounded(world: GitWorld, message: str, author: str, reason: str) -> None:
    clone = await world.clone()
    (clone.folder / ".git" / "said").write_text(message)
    await clone.did("commit", "--quiet", "--allow-empty", "--file=.git/said", f"--author={author}")
    await refused(clone, reason)


async def test_a_client_that_goes_leaves_nothing_running(world: GitWorld) -> None:
    clone = await world.clone()
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(
        b"POST /git/ordain.git/git-receive-pack HTTP/1.1\r\nHost: ml.localhost\r\nX-Forwarded-User: root@localhost\r\n"
        b"Content-Type: application/x-git-receive-pack-request\r\nContent-Length: 1000\r\n\r\n0032"
    )
    await writer.drain()
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    assert running()
    writer.close()
    await until(lambda: not running())
    assert (await clone.git("fetch")).ok


async def test_a_call_that_takes_too_long_is_ended(world: GitWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "SERVED_WITHIN", 0.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(
        b"POST /git/ordain.git/git-upload-pack HTTP/1.1\r\nHost: ml.localhost\r\nX-Forwarded-User: root@localhost\r\n"
        b"Content-Type: application/x-git-upload-pack-request\r\nContent-Length: 1000\r\n\r\n"
    )
    async with asyncio.timeout(20):
        assert b"200" in (await reader.read())
    writer.close()


async def test_who_finds_too_much_going_on_is_told_to_come_back(
    world: GitWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_backend, "WAIT_SECONDS", 0.05)
    service = world.writes.context.git
    assert isinstance(service, http_backend.GitHttpBackend)
    monkeypatch.setitem(service._turns, Service.READ, asyncio.Semaphore(0))
    said = await git(world.folder, "ls-remote", world.address)
    assert "remote: try again: 4 others are served now" in said.text
    assert "503" in said.text


async def test_what_a_killed_process_left_is_removed_by_the_next_push(world: GitWorld) -> None:
    left = world.folder / "pushes" / "left"
    (left / "objects").mkdir(parents=True)
    os.utime(left, (0, 0))
    clone = await world.clone()
    assert (await clone.push()).ok
    assert not left.exists()
