from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from reconciler.process_identity import end_group, identity_of, is_alive, proportional_memory

Sleeper = subprocess.Popen[bytes]


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_a_process_is_its_pid_and_its_start(sleeper: Sleeper) -> None:
    identity = identity_of(sleeper.pid)
    assert identity is not None
    assert is_alive(identity)
    assert not is_alive(dataclasses.replace(identity, start_time=identity.start_time + 1))


def test_a_zombie_is_dead(sleeper: Sleeper) -> None:
    identity = identity_of(sleeper.pid)
    assert identity is not None
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(identity)
    assert identity_of(sleeper.pid) is None


def test_a_pid_that_belongs_to_somebody_else_is_left_alone(sleeper: Sleeper) -> None:
    identity = identity_of(sleeper.pid)
    assert identity is not None
    earlier = dataclasses.replace(identity, start_time=identity.start_time - 1)
    asyncio.run(end_group(earlier, grace_seconds=0))
    assert is_alive(identity)


def test_a_group_is_ended_with_members_that_ignore_the_first_signal() -> None:
    deaf = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE, start_new_session=True) as leader:
        assert leader.stdout is not None
        child = identity_of(int(leader.stdout.readline()))
        identity = identity_of(leader.pid)
        assert identity is not None
        assert child is not None
        asyncio.run(end_group(identity, grace_seconds=0.2))
        assert not is_alive(child)
        assert leader.wait() == -signal.SIGKILL


def test_members_are_ended_after_their_leader_died() -> None:
    leaves_a_child = ["sh", "-c", "sleep 600 & echo $!; read line"]
    pipe = subprocess.PIPE
    with subprocess.Popen(leaves_a_child, stdin=pipe, stdout=pipe, start_new_session=True) as leader:
        assert leader.stdout is not None
        child = identity_of(int(leader.stdout.readline()))
        identity = identity_of(leader.pid)
        leader.kill()
    assert child is not None
    assert identity is not None
    assert is_alive(child)
    asyncio.run(end_group(identity, grace_seconds=5))
    assert not is_alive(child)


def test_memory_counts_descendants_but_those_set_apart() -> None:
    hoards = "import subprocess, sys; b = bytearray(30 << 20); print(1, flush=True); sys.stdin.read()"
    spawns = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {hoards!r}], start_new_session=True,"
        " stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, flush=True); child.wait()\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", spawns], stdin=pipe, stdout=pipe, start_new_session=True) as leader:
        assert leader.stdout is not None
        assert leader.stdin is not None
        child = int(leader.stdout.readline())
        identity = identity_of(leader.pid)
        assert identity is not None
        assert proportional_memory(identity) > 30 << 20
        assert proportional_memory(identity, apart={child}) < 30 << 20
        leader.stdin.close()
