"""Many commits in one pack through one `git fast-import` process.

Format: git's fast-import documentation; `done` at the end makes a cut stream an error.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from reconciler.ports.errors import Waiting
from reconciler.ports.repository import NewCommit, Signature

TIMEOUT_SECONDS = 120


def write(repository: Path, staging: str, base: str | None, commits: Sequence[NewCommit]) -> Sequence[str]:
    """Append `commits` to `base` on the ref `staging`, wherever that was, and return their ids.

    Raises Waiting where git cannot write now: a full disk, a read-only folder.
    """
    done = subprocess.run(
        ["git", "fast-import", "--quiet", "--done", "--force"],
        cwd=repository,
        input=b"".join(_stream(staging, base, commits)),
        capture_output=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        _clear(repository)
        raise Waiting(f"git could not write to {repository}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode().split()


def _clear(repository: Path) -> None:
    """Remove what failed imports left: reports, which the error tells of, and packs that nobody writes any more."""
    for report in repository.glob("fast_import_crash_*"):
        report.unlink(missing_ok=True)
    for pack in (repository / "objects" / "pack").glob("tmp_*"):
        with suppress(FileNotFoundError):
            if time.time() - pack.stat().st_mtime > TIMEOUT_SECONDS:
                pack.unlink()


def _stream(staging: str, base: str | None, commits: Sequence[NewCommit]) -> Iterator[bytes]:
    for number, commit in enumerate(commits, start=1):
        yield f"commit {staging}\nmark :{number}\n".encode()
        yield _person("author", commit.author, commit) + _person("committer", commit.committer, commit)
        yield _data(commit.message.encode())
        if commit.onto is not None:
            yield f"from {commit.onto}\n".encode()
        elif number > 1:
            yield f"from :{number - 1}\n".encode()
        elif base is not None:
            yield f"from {base}\n".encode()
        for path, content in sorted(commit.files.items()):
            yield _file(path, content)
        yield f"\nget-mark :{number}\n".encode()
    yield b"done\n"


def _person(role: str, who: Signature, commit: NewCommit) -> bytes:
    return f"{role} {_plain(who.name)} <{_plain(who.email)}> {int(commit.at.timestamp())} +0000\n".encode()


def _plain(text: str) -> str:
    """Drop what would end a person's line early; git itself drops the same."""
    return "".join(char for char in text if char.isprintable() and char not in "<>")


def _file(path: str, content: bytes | None) -> bytes:
    quoted = '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if content is None:
        return f"D {quoted}\n".encode()
    return f"M 100644 inline {quoted}\n".encode() + _data(content)


def _data(body: bytes) -> bytes:
    return f"data {len(body)}\n".encode() + body + b"\n"
