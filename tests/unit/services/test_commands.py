from __future__ import annotations

import asyncio

import pytest

from reconciler.services.commands import CommandFailed, MissingProgram, packaged_program, run


def test_a_command_is_given_its_input_and_its_output_returned() -> None:
    assert asyncio.run(run(["cat"], seconds=10, stdin=b"words")) == "words"


def test_a_failure_shows_how_the_command_ended() -> None:
    with pytest.raises(CommandFailed, match=r"ended with 3: no such thing"):
        asyncio.run(run(["sh", "-c", "echo no such thing >&2; exit 3"], seconds=10))


def test_a_command_that_takes_too_long_is_ended() -> None:
    with pytest.raises(CommandFailed, match="longer than 0 s"):
        asyncio.run(run(["sh", "-c", "sleep 600 & sleep 600"], seconds=0.2))


def test_a_missing_wheel_says_what_to_do() -> None:
    with pytest.raises(MissingProgram, match="make setup"):
        packaged_program("no_such_package", "bin")
