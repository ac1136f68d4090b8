"""What a ledger that was made anew says of the runs of the past."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.planning.observations import OutputArtifact
from reconciler.planning.runs import RunRow, RunState

UNRECORDED = "the ledger was made anew, and storage has no record of its end; raise `attempt` to run it again"
UNREADABLE = "the ledger was made anew, and the record of its end cannot be read; raise `attempt` to run it again"


@dataclass(frozen=True)
class PastRun:
    """An attempt that was asked for before, in a state that never changes again."""

    run: RunRow
    asked_at: datetime
    reason: str
    model: str = ""


def past_run(run: RunRow, asked_at: datetime, record: bytes | None) -> PastRun:
    """Return what the terminal record says, or that nobody knows: the run is never submitted again either way."""
    if record is None:
        return PastRun(replace(run, state=RunState.UNKNOWN), asked_at, UNRECORDED)
    try:
        return _recorded(run, asked_at, record)
    except (ValueError, KeyError, TypeError):
        return PastRun(replace(run, state=RunState.UNKNOWN), asked_at, UNREADABLE)


def _recorded(run: RunRow, asked_at: datetime, record: bytes) -> PastRun:
    found = json.loads(record)
    state = RunState(found["state"])
    if not state.terminal or (found["uid"], found["attempt"]) != (str(run.uid), run.attempt):
        raise ValueError(state)
    ended = replace(run, state=state, outputs=tuple(OutputArtifact(**output) for output in found["outputs"]))
    return PastRun(ended, asked_at, str(found["reason"]), str(found["model"]))
