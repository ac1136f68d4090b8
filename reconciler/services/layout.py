"""Where a running platform keeps what: every path below `<root>/.ordain/`, and its unix sockets."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# sun_path holds 107 bytes; Postgres adds the longest name of all, its own `.s.PGSQL.5432`.
_LONGEST_SOCKET_NAME = "postgres/.s.PGSQL.5432"
_LONGEST_SOCKET_PATH = 100


@dataclass(frozen=True)
class Layout:
    """The paths of the platform at `root`, a folder people know; nothing else is written to."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root / ".ordain"

    @property
    def settings(self) -> Path:
        return self.state / "settings.json"

    @property
    def credentials(self) -> Path:
        """Where people name the credentials of repositories elsewhere; see credentials.py."""
        return self.state / "credentials.json"

    @property
    def repository(self) -> Path:
        return self.state / "state.git"

    @property
    def pushes(self) -> Path:
        """What people push, a folder each until it is answered."""
        return self.state / "pushes"

    @property
    def processes(self) -> Path:
        """Runs and model servers: one folder each, made by the driver that started it."""
        return self.state / "proc"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def ready(self) -> Path:
        """Where the platform's own processes say that they are at work; see readiness.py."""
        return self.state / "ready"

    @property
    def supervisor_state(self) -> Path:
        return self.state / "supervisor.json"

    @property
    def supervisor_lock(self) -> Path:
        return self.state / "supervisor.lock"

    @property
    def postgres(self) -> Path:
        return self.state / "postgres"

    @property
    def nats(self) -> Path:
        return self.state / "nats"

    @property
    def s3(self) -> Path:
        return self.state / "s3"

    @property
    def envoy(self) -> Path:
        return self.state / "envoy"

    @property
    def envoy_rds(self) -> Path:
        """The routes Envoy follows; written by the edge driver, by write and rename in the same folder."""
        return self.envoy / "rds.json"

    @property
    def envoy_cds(self) -> Path:
        """The clusters Envoy knows; written as `envoy_rds` is."""
        return self.envoy / "cds.json"

    @cached_property
    def sockets(self) -> Path:
        """The folder of the unix sockets, for the owner alone: in the state folder if its path allows."""
        inside = self.state / "sockets"
        if len(os.fsencode(inside / _LONGEST_SOCKET_NAME)) <= _LONGEST_SOCKET_PATH:
            return inside
        if inside.is_symlink():  # as the first `up` chose: a later shell may have another XDG_RUNTIME_DIR
            return inside.readlink()
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        if runtime and Path(runtime).is_dir():
            return Path(runtime) / f"ordain-{name}"
        return Path(tempfile.gettempdir()) / f"ordain-{os.getuid()}-{name}"

    @property
    def postgres_sockets(self) -> Path:
        return self.sockets / "postgres"

    @property
    def api_socket(self) -> Path:
        return self.sockets / "api.sock"

    @property
    def envoy_admin_socket(self) -> Path:
        return self.sockets / "envoy-admin.sock"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def create(self) -> None:
        """Make the folders, each for the owner alone.

        Raises PermissionError where the folder of the sockets is someone else's: in a shared temporary
        folder anybody may have made one of that name.
        """
        for folder in (self.state, self.processes, self.logs, self.ready, self.envoy, self.nats, self.s3):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.sockets.is_symlink() or self.sockets.stat().st_uid != os.getuid():
            raise PermissionError(
                f"{self.sockets} belongs to another user; set XDG_RUNTIME_DIR to a folder of your own"
            )
        self.sockets.chmod(0o700)
        inside = self.state / "sockets"
        if self.sockets != inside and not inside.is_symlink():
            inside.symlink_to(self.sockets)
        self.postgres_sockets.mkdir(mode=0o700, exist_ok=True)
