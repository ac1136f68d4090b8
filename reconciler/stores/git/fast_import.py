"""Many commits in one pack through one `git fast-import` process.

Format: git's fast-import documentation; `done` at the end makes a cut stream an error.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from subprocess import PIPE

from reconciler.ports.errors import Unwritable
from reconciler.ports.repository import NewCommit, Signature
from reconciler.stores.git.leftovers import sweep

TIMEOUT_SECONDS = 120


def write(repository: Path, staging: str, base: str | None, commits: Sequence[NewCommit]) -> Sequence[str]:
    """Append `commits` to `base` on the ref `staging`, wherever that was, and return their ids.

    Raises Unwritable where git cannot write now: a full disk, a read-only folder.
    """
    process = subprocess.Popen(
        ["git", "fast-import", "--quiet", "--done", "--force"], cwd=repository, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    ids, said = _communicate(process, b"".join(_stream(staging, base, commits)))
    if process.returncode != 0:
        (repository / f"fast_import_crash_{process.pid}").unlink(missing_ok=True)
        sweep(repository)
        raise Unwritable(f"git could not write to {repository.name}: {_reason(process.returncode, said)}")
    return ids.decode().split()


def _communicate(process: subprocess.Popen[bytes], stream: bytes) -> tuple[bytes, bytes]:
    try:
        return process.communicate(stream, TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()


def _reason(code: int, said: bytes) -> str:
    """Return git's first word, the next say where its report is; where a signal ended it, it had none."""
    ended = signal.Signals(-code).name if code < 0 else f"code {code}"
    return said.decode(errors="replace").strip().partition("\n")[0] or f"it ended with {ended}"


def _stream(staging: str, base: str | None, commits: Sequence[NewCommit]) -> Iterator[bytes]:
    for number, commit in enumerate(commits, start=1):
        yield f"commit {staging}\nmark :{number}\n".encode()
        yield _person("author", commit.author, commit.authored_at or commit.at)
        yield _person("committer", commit.committer, commit.at)
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


def _person(role: str, who: Signature, at: datetime) -> bytes:
    return f"{role} {_plain(who.name)} <{_plain(who.email)}> {int(at.timestamp())} +0000\n".encode()


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
