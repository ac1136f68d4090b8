"""What the supervisor needs to know of one process it keeps alive."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.process_identity import ProcessIdentity

Probe = Callable[[ProcessIdentity], Awaitable[bool]]
Step = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Part:
    """One long-lived process.

    `probe` asks the process itself, once and quickly; it may raise OSError, which means not ready.
    `prepare` runs before every start and repeats safely. `once_ready` runs after every start, when the
    part is first ready and before those that come `after` it are started.
    """

    name: str
    argv: tuple[str, ...]
    cwd: Path
    log: Path
    address: str
    probe: Probe
    env: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    prepare: Step | None = None
    once_ready: Step | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 5.0
    # Files of no use without the process: removed before a start and after the end.
    litter: tuple[Path, ...] = ()
