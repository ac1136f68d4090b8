"""What git costs over HTTP: a clone, a push, and a push while others write, at 10,000 and 100,000 intents."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from rich.table import Table

from intents.tree import PLATFORM_PATH
from reconciler.ports.repository import MAIN, NewCommit
from tests.bench.clients import Answers, Load, ask
from tests.bench.tables import MIB, percentiles, table, timed
from tests.bench.write_path import PERSON, WHO, WritePath, write_path
from tests.fixtures.git_world import ENVIRONMENT

SIZES = (10_000, 100_000)
PUSHES = 10
WRITERS, EACH, EVERY = 20, 150, 0.2
"""Twenty writers, each five times a second for half a minute: 100 writes/s."""
NOTES = "templates/hello/1.0.0/notes.txt"
_REFUSED = 400


@dataclass(frozen=True)
class Measured:
    """What was measured in a repository of one size."""

    clone: float
    bytes: int
    """Of the clone's objects."""
    first: float
    """Seconds of the first push, which finds nothing read yet."""
    idle: Sequence[float]
    busy: Sequence[float]
    answers: Answers
    """Of those who write meanwhile."""


def tables(folder: Path) -> Iterator[Table]:
    """Measure, and leave nothing running."""
    measured = {size: _measure(size, folder / f"clone-{size}") for size in SIZES}
    found = table("git over HTTP through Envoy", "", *(f"{size:,} intents" for size in SIZES))

    def row(name: str, value: Callable[[Measured], str]) -> None:
        found.add_row(name, *(value(each) for each in measured.values()))

    row("clone, without a work tree", lambda each: f"{each.clone:.1f} s, {each.bytes / MIB:.0f} MiB")
    row("first push", lambda each: f"{1000 * each.first:.0f} ms")
    row("push of one commit, p50 and slowest", lambda each: ", ".join(percentiles(each.idle)))
    row("the same while others write", lambda each: ", ".join(percentiles(each.busy)))
    row("their writes", lambda each: f"{len(each.answers.all) / each.answers.seconds:.0f}/s")
    row("refused of those", lambda each: str(sum(answer.status >= _REFUSED for answer in each.answers.all)))
    yield found


def _measure(size: int, folder: Path) -> Measured:
    with write_path(size) as path:
        _appoint(path)
        path.start_writer()
        tree = path.tree()
        path.start_api(tree)
        hosts = sorted(tree.hostnames())
        clone = Clone(folder, path.settings.edge_port, tree.platform.base_domain)
        seconds, _ = timed(clone.make)
        first = clone.pushed()
        idle = [clone.pushed() for _ in range(PUSHES)]
        load = Load(path.settings.edge_port, hosts, WRITERS, EACH, "others", EVERY)
        with ThreadPoolExecutor() as threads:
            others = threads.submit(ask, load)
            busy = [clone.pushed() for _ in range(PUSHES)]
            still_at_it = not others.done()
            answers = others.result()
        if not still_at_it:
            raise RuntimeError(f"{WRITERS * EACH} writes were over before {PUSHES} pushes")
        return Measured(seconds, clone.bytes, first, idle, busy, answers)


def _appoint(path: WritePath) -> None:
    """Make the bench's person a platform admin, whom git is for."""
    head = path.repository.head()
    platform = path.repository.read(head or "", PLATFORM_PATH) or b""
    with_person = platform.replace(b"admins:\n", f"admins:\n    - user: {PERSON}\n".encode())
    new = NewCommit(WHO, WHO, datetime.now(UTC), "Appoint\n", {PLATFORM_PATH: with_person})
    path.repository.move(MAIN, head, path.repository.append("appoint", head, [new])[-1])


@dataclass(frozen=True)
class Clone:
    """A clone without a work tree: what is measured is the way over HTTP."""

    folder: Path
    port: int
    domain: str
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def bytes(self) -> int:
        """Of the packs that were fetched."""
        return sum(each.stat().st_size for each in (self.folder / ".git" / "objects" / "pack").iterdir())

    def make(self) -> None:
        """Clone."""
        self.folder.mkdir()
        self._git("clone", "--quiet", "--no-checkout", f"http://{self.domain}:{self.port}/git/ordain.git", ".")

    def pushed(self) -> float:
        """Commit one more version of a file beside a template on main, push it, and return the push's seconds."""
        self._git("fetch", "--quiet")
        self._git("update-ref", "refs/heads/main", "origin/main")
        text = f"{next(self._numbers)}\n"
        stream = (
            f"commit refs/heads/main\ncommitter {PERSON} <{PERSON}> now\ndata 5\nNote\nfrom refs/heads/main^0\n"
            f"M 100644 inline {NOTES}\ndata {len(text)}\n{text}\n"
        )
        self._git("fast-import", "--quiet", "--force", "--date-format=now", given=stream)
        seconds, _ = timed(lambda: self._git("push", "--quiet", "origin", "main"))
        return seconds

    def _git(self, *words: str, given: str = "") -> None:
        here = ("-c", f"http.curloptResolve={self.domain}:{self.port}:127.0.0.1")
        done = subprocess.run(
            ("git", *here, *words),
            cwd=self.folder,
            env=ENVIRONMENT,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"git {words[0]}: {done.stderr}")
