"""The folder of one local run: `<proc>/run-<run id>/`.

    package.yaml, submission.json   what to run; written before anything is started
    claim.json                      pid, start time and boot of the one process that may run it; linked, so
                                    that the first of several submitters wins; the processes of the others
                                    end without beginning
    withdrawn.json                  the claim, so renamed by whoever ended its process because the platform was to
                                    stop (services/sweep.py): nothing of it runs, and the run may be claimed anew
    cancelled.json                  the run is not wanted any more
    progress.json, logs/, outputs/  written by the process as it goes
    result.json                     its last act
    uploaded.json                   outputs and logs are in object storage
    tmp/                            TMPDIR, HOME and working directory of the process

A folder with a claim, without a living process and without a result is a lost run. `<proc>/forgotten/run-<run id>`
is the tombstone of a run whose folder was removed: nothing begins in another folder of that name. Everything here
may be read by any process at any time, and each step may be the last before a crash.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from reconciler.drivers.local.run_record import RunRecord, Snapshot, Uploaded
from reconciler.durable import fsync_folder
from reconciler.planning.observations import EngineRunId, EngineState
from reconciler.ports.pipelines import Submission
from reconciler.process_identity import ProcessIdentity, is_alive

M = TypeVar("M", bound=BaseModel)

_PREFIX = "run-"
_FORGOTTEN = "forgotten"
_LOG_TAIL_BYTES = 1 << 20
_FAILURE_TAIL_BYTES = 16 << 10


class Owner(BaseModel):
    """Whose run it is: the part of submission.json that outlives the folder."""

    tenant: str
    project: str


@dataclass(frozen=True)
class RunFolder:
    """One run's files; see the module for their meaning."""

    proc_dir: Path
    run_id: EngineRunId

    @property
    def path(self) -> Path:
        return self.proc_dir / f"{_PREFIX}{self.run_id}"

    @property
    def forgotten(self) -> bool:
        return self._tombstone.exists()

    @property
    def _tombstone(self) -> Path:
        return self.proc_dir / _FORGOTTEN / self.path.name

    def prepare(self, submission: Submission) -> None:
        """Write down what to run, durably; whoever does it again writes the same."""
        for name in ("logs", "outputs", "tmp"):
            (self.path / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        write_durably(self.path / "package.yaml", submission.package)
        details = {
            "display_name": submission.display_name,
            "tenant": submission.tenant,
            "project": submission.project,
            "parameters": submission.parameters,
        }
        self._write("submission.json", details)
        fsync_folder(self.proc_dir)

    def claim(self, identity: ProcessIdentity, token: str) -> bool:
        """Make that process the one that runs this; False where there is another claim already."""
        draft = self.path / f"claim-{token}.json"
        document = {"pid": identity.pid, "start_time": identity.start_time, "boot": _boot(), "token": token}
        write_durably(draft, json.dumps(document).encode())
        try:
            os.link(draft, self.path / "claim.json")
        except FileExistsError:
            return False
        finally:
            draft.unlink()
        fsync_folder(self.path)
        return True

    @property
    def claimed(self) -> bool:
        return (self.path / "claim.json").exists()

    @property
    def cancelled(self) -> bool:
        return (self.path / "cancelled.json").exists()

    def process(self) -> ProcessIdentity | None:
        """Return the process of the claim, None where there is no claim or it is from before a reboot."""
        try:
            claim = json.loads((self.path / "claim.json").read_bytes())
        except FileNotFoundError:
            return None
        return ProcessIdentity(claim["pid"], claim["start_time"]) if claim["boot"] == _boot() else None

    def mark_cancelled(self) -> None:
        self._write("cancelled.json", {})

    def snapshot(self) -> Snapshot:
        """Read where the run stands; first whether it lives: what the dead left is all there will be."""
        process = self.process()
        alive = process is not None and is_alive(process)
        result, unreadable = self._result()
        progress = self._model("progress.json", RunRecord)
        record = result or progress
        failed = [task for task in record.tasks if task.state is EngineState.FAILED] if record else []
        return Snapshot(
            claimed=self.claimed,
            alive=alive,
            cancelled=self.cancelled,
            withdrawn=(self.path / "withdrawn.json").exists(),
            result=result,
            progress=progress,
            unreadable=unreadable,
            process_log=self._tail("child.log"),
            failure_logs={task.name: self._tail(f"logs/{task.name}.log") for task in failed},
        )

    def _result(self) -> tuple[RunRecord | None, str]:
        try:
            return RunRecord.model_validate_json((self.path / "result.json").read_bytes()), ""
        except FileNotFoundError:
            return None, ""
        except ValidationError as error:
            return None, f"the run left a result that cannot be read: {error.errors()[0]['msg']}"

    def log(self, task: str) -> bytes | None:
        """Return the last 1 MiB of a task's log, None where there is no log yet."""
        return _tail(self.path / "logs" / f"{task}.log", _LOG_TAIL_BYTES)

    def _tail(self, name: str) -> str:
        return (_tail(self.path / name, _FAILURE_TAIL_BYTES) or b"").decode(errors="replace")

    def owner(self) -> Owner:
        return Owner.model_validate_json((self.path / "submission.json").read_bytes())

    def uploaded(self) -> Uploaded | None:
        return self._model("uploaded.json", Uploaded)

    def mark_uploaded(self, uploaded: Uploaded) -> None:
        write_durably(self.path / "uploaded.json", uploaded.model_dump_json().encode())

    def remove(self) -> None:
        """Remove everything; the name goes first and at once, so that no half of a run is ever seen.

        The tombstone comes before that: a process that claims the new folder of a late submitter finds it.
        """
        self._tombstone.parent.mkdir(mode=0o700, exist_ok=True)
        self._tombstone.touch()
        fsync_folder(self._tombstone.parent)
        doomed = self.proc_dir / f".gone-{self.run_id}-{secrets.token_hex(4)}"
        with contextlib.suppress(FileNotFoundError):
            self.path.rename(doomed)
            fsync_folder(self.proc_dir)
        # Also what a crash in the middle of this left behind.
        for path in self.proc_dir.glob(".gone-*"):
            shutil.rmtree(path, ignore_errors=True)

    def _model(self, name: str, model: type[M]) -> M | None:
        try:
            return model.model_validate_json((self.path / name).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def _write(self, name: str, document: object) -> None:
        write_durably(self.path / name, json.dumps(document).encode())


def kept(proc_dir: Path) -> list[EngineRunId]:
    """Return the runs that have a folder in `proc_dir`."""
    return [EngineRunId(path.name.removeprefix(_PREFIX)) for path in sorted(proc_dir.glob(f"{_PREFIX}*"))]


def running(proc_dir: Path) -> Iterator[tuple[EngineRunId, ProcessIdentity]]:
    """Yield the living runs in `proc_dir`, whoever started them: for status, and for what ends them all."""
    for run_id in kept(proc_dir):
        process = RunFolder(proc_dir, run_id).process()
        if process is not None and is_alive(process):
            yield run_id, process


def _tail(path: Path, size: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read()
    except FileNotFoundError:
        return None


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file at once; on return it survives a power cut."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    fsync_folder(path.parent)


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
