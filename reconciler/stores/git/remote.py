"""A repository elsewhere, reached by git's own transports through GitPython.

A push is compared and swapped by the remote itself: `--force-with-lease=<ref>:<old>` names the commit that the ref
must be at, also where the new one is no descendant. Formats: `git push --porcelain`, `git ls-remote`.
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import git

from reconciler.durable import fsync_folder
from reconciler.planning.remote import Attempt
from reconciler.ports.errors import Waiting
from reconciler.ports.remote import Pushed, RefUpdate

Token = Callable[[], str]
"""Returns the token of the account at the remote, as it is now; may block. Empty is nobody."""

LOOK_SECONDS = 20.0
PUSH_SECONDS = 60.0
FETCH_SECONDS = 600.0
"""The first fetch brings the whole history."""
LONGEST_WORD = 500
NO_REF = ""
_PROTOCOLS = "https:http:ssh"


@dataclass(frozen=True)
class _Done:
    code: int | None
    """None where it was ended for taking too long."""
    output: str
    error: str


class GitRemote:
    """The Remote port on an address that git can reach, for the bare repository at `path`.

    The token travels in the environment of the process, as a header for this address alone; git follows no redirect,
    asks nobody, and uses no credential that the machine keeps. An `ssh` address uses the machine's own keys.
    """

    def __init__(self, path: Path, address: str, token: Token = str) -> None:
        """Reach `address` for the repository at `path` as whom `token` says."""
        self._path = path
        self._address = address
        self._token = token
        self._git = git.Repo(path).git

    @property
    def address(self) -> str:
        """Where it is, without credentials."""
        return self._address

    def heads(self, refs: Sequence[str]) -> Mapping[str, str]:
        """Return the commits of those of `refs` that are there now."""
        found = self._listed(*refs)
        return {ref: found[ref] for ref in refs if ref in found}

    def refs(self, folder: str) -> Mapping[str, str]:
        """Return the commits of all refs below `folder`, by the rest of their names."""
        found, within = self._listed(f"{folder}/*"), f"{folder}/"
        return {ref.removeprefix(within): found[ref] for ref in found if ref.startswith(within)}

    def fetch(self, ref: str, into: str) -> None:
        """Bring the objects of the remote's `ref` here, checked and durable, and set the ref `into` to it."""
        options = ["--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules", "--quiet"]
        done = self._run(["fetch", *options, "--", self._address, f"+{ref}:{into}"], FETCH_SECONDS)
        if done.code != 0:
            raise Waiting(f"{ref} cannot be fetched from {self._address}: {_said(done)}")
        fsync_folder(self._path / "objects" / "pack")

    def push(self, updates: Sequence[RefUpdate]) -> Pushed:
        """Move all of the refs or none, each only if it is at its `old`."""
        leases = [f"--force-with-lease={each.ref}:{each.old or NO_REF}" for each in updates]
        specs = [f"{each.new or NO_REF}:{each.ref}" for each in updates]
        atomic = ["--atomic"] if len(updates) > 1 else []
        options = ["--porcelain", "--no-verify", "--no-recurse-submodules", *atomic, *leases]
        try:
            done = self._run(["push", *options, "--", self._address, *specs], PUSH_SECONDS)
        except Waiting as waiting:
            return Pushed(Attempt.UNKNOWN, str(waiting))
        return Pushed(_attempt(done), "" if done.code == 0 else _said(done))

    def _listed(self, *patterns: str) -> Mapping[str, str]:
        done = self._run(["ls-remote", "--refs", "--", self._address, *patterns], LOOK_SECONDS)
        if done.code != 0:
            raise Waiting(f"{self._address} does not tell its branches: {_said(done)}")
        return dict(line.split("\t")[::-1] for line in done.output.splitlines())

    def _run(self, words: Sequence[str], seconds: float) -> _Done:
        """Run git in a group of its own, and end all of the group where it takes longer than `seconds`."""
        token = self._token()
        started = self._git.execute(
            ["git", *words], as_process=True, env=_environment(self._address, token), process_group=0
        )
        process = started.proc
        if process is None:
            raise Waiting("git could not be started")
        try:
            output, error = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return _Done(None, "", f"no answer in {seconds:.0f} s")
        finally:
            _end_group(process)
        return _Done(process.returncode, _text(output, token), _text(error, token))


def _attempt(done: _Done) -> Attempt:
    """Return what a push came to, by its exit code and its lines for programs: `!` is a ref that was not moved."""
    if done.code == 0:
        return Attempt.ACCEPTED
    refused = any(line.startswith("!") for line in done.output.splitlines())
    return Attempt.REJECTED if refused else Attempt.UNKNOWN


def _said(done: _Done) -> str:
    """Return the end of what git said, refusals first."""
    refusals = [line for line in done.output.splitlines() if line.startswith("!")]
    lines = [line.strip() for line in (*refusals, *done.error.splitlines()) if line.strip()]
    return " ".join(" ".join(lines).split())[:LONGEST_WORD] or "nothing was said"


def _text(output: bytes, token: str) -> str:
    text = output.decode(errors="replace")
    return text.replace(token, "***") if token else text


def _environment(address: str, token: str) -> dict[str, str]:
    """Return what git gets besides its usual environment: settings of its own, counted as git wants them."""
    settings = {
        "credential.helper": "",
        "fetch.fsckObjects": "true",
        "fetch.unpackLimit": "1",  # packs alone: their folder is synced here, and loose objects' are many
        "gc.auto": "0",
        "http.followRedirects": "false",
        "http.lowSpeedLimit": "1",
        "http.lowSpeedTime": "30",
        "maintenance.auto": "false",
    }
    if token and address.startswith("http"):
        name = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        settings[f"http.{address}.extraHeader"] = f"Authorization: Basic {name}"
    counted = {f"GIT_CONFIG_KEY_{number}": key for number, key in enumerate(settings)}
    counted |= {f"GIT_CONFIG_VALUE_{number}": value for number, value in enumerate(settings.values())}
    return {
        **counted,
        "GIT_CONFIG_COUNT": str(len(settings)),
        "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=10",
    }


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End git and its helpers; what ended by itself leaves nothing to end."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
