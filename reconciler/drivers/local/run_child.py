"""One pipeline run, by the tasks' own Python: `python -I run_child.py <folder> <token> [hidden folder ...]`.

Started by LocalPipelines as the leader of its own session. Nothing of ordain is imported: the tasks'
environment does not have it. run_folder.py describes the files; this program reads package.yaml,
submission.json and claim.json, writes progress.json, logs/ and outputs/ as it goes and, as its last act,
result.json.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# Serving stays responsive while training uses the machine up.
_NICENESS = 5
_RESULT_FORMAT = 1
_TERMINATED = 128 + signal.SIGTERM

# <sys/mount.h>, <fcntl.h>, <linux/prctl.h>, <linux/capability.h>
_MS_BIND = 0x1000
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_CAP_DAC_OVERRIDE = 1
_CAPABILITIES = 64


def main(folder: Path, token: str, hidden: list[Path]) -> None:
    # As the first process of a pid namespace it would not even notice SIGTERM without a handler.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(_TERMINATED))
    if not _claimed(folder, token):
        return
    os.nice(_NICENESS)
    _begin_anew(folder)
    progress = Progress(folder)
    try:
        if hidden:
            _hide(folder, hidden)
        _execute(folder, progress)
    except Exception as error:  # noqa: BLE001 - whatever ends the run is its result
        traceback.print_exc()
        progress.end("failed", _explained(error))
    else:
        progress.end("succeeded", "")


def _claimed(folder: Path, token: str) -> bool:
    """Wait for the submitter to let go of our stdin, then say whether the run is ours and still wanted.

    The submitter links claim.json before it lets go; if it is killed, stdin ends too. Either way nothing it
    does can follow, so what the folder says now stands. A tombstone says that the run is over and that this
    folder is another one: its submitter slept in between.
    """
    sys.stdin.buffer.read()
    try:
        claim = json.loads((folder / "claim.json").read_bytes())
    except FileNotFoundError:
        return False
    over = (folder.parent / "forgotten" / folder.name).exists()
    return claim["token"] == token and not over and not (folder / "cancelled.json").exists()


def _begin_anew(folder: Path) -> None:
    """Remove what a withdrawn execution left; the claim is ours, so nobody else writes here."""
    (folder / "progress.json").unlink(missing_ok=True)
    for left in ("logs", "outputs", "tmp"):
        for path in (folder / left).iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _hide(folder: Path, hidden: list[Path]) -> None:
    """Put empty folders over `hidden`, leave the run's own in its place, and give up the rights to undo it.

    Only in a mount namespace of our own. Programs started from here on have no capability but to read and
    write files; another user namespace would not help them, as mounts that come from outside it are locked.
    """
    own = os.open(folder, os.O_PATH)
    for path in hidden:
        if path.is_dir():
            _mount("tmpfs", path, "tmpfs", 0)
    folder.mkdir(parents=True, exist_ok=True)
    _mount(f"/proc/self/fd/{own}", folder, "", _MS_BIND)
    os.close(own)
    os.chdir(folder / "tmp")
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in set(range(_CAPABILITIES)) - {_CAP_DAC_OVERRIDE}:
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # refuses numbers that this kernel does not have
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _mount(source: str, target: Path, kind: str, flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    options = (source.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), None)
    if libc.mount(*options) != 0:
        raise OSError(ctypes.get_errno(), f"mount {source} on {target}: {os.strerror(ctypes.get_errno())}")


def _execute(folder: Path, progress: Progress) -> None:
    """Run the package with KFP's local runner; raises where a task or the runner fails."""
    # With this set, `import kfp` leaves out the API client and with it the whole Kubernetes client:
    # 0.3 s instead of 3.6 s. The local runner itself needs the compile-time half of kfp.dsl.
    os.environ["_KFP_RUNTIME"] = "true"
    import kfp  # noqa: F401, PLC0415

    del os.environ["_KFP_RUNTIME"]
    from kfp import components, local  # noqa: PLC0415

    # KFP puts the interpreter's path into a shell line without quoting it; PATH leads to the same one.
    sys.executable = "python3"
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(folder / "outputs"))
    pipeline = components.load_component_from_text(_renamed_package(folder))
    spec = pipeline.pipeline_spec
    progress.plan(_task_names(spec.root.dag, spec.components))
    _Hooks(folder, progress).install()
    parameters = json.loads((folder / "submission.json").read_bytes())["parameters"]
    pipeline(**_typed(parameters, spec.root.input_definitions.parameters))


def _renamed_package(folder: Path) -> str:
    """Return the package under the run's name: KFP takes a pipeline for its component of the same name."""
    import yaml  # noqa: PLC0415

    documents = list(yaml.safe_load_all((folder / "package.yaml").read_bytes()))
    documents[0]["pipelineInfo"]["name"] = folder.name
    return str(yaml.safe_dump_all(documents))


class Progress:
    """What is known of each task, in progress.json after every change and in result.json at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tasks: dict[str, dict[str, Any]] = {}
        # ParallelFor runs its tasks in threads.
        self._lock = threading.Lock()

    def plan(self, names: list[str]) -> None:
        with self._lock:
            self._tasks = {name: {"name": name, "state": "pending"} for name in names}
            self._save("running", "")

    def begin(self, name: str) -> str:
        """Note that a task started; return its name, made unique where a nested pipeline uses one again."""
        with self._lock:
            unique, count = name, 1
            while self._tasks.get(unique, {}).get("state", "pending") != "pending":
                count += 1
                unique = f"{name}-{count}"
            self._tasks[unique] = {"name": unique, "state": "running", "started_at": _now()}
            self._save("running", "")
            return unique

    def finish(self, name: str, state: str, **details: Any) -> None:
        with self._lock:
            self._tasks[name] |= {"state": state, "finished_at": _now(), **details}
            self._save("running", "")

    def end(self, state: str, error: str) -> None:
        with self._lock:
            for task in self._tasks.values():
                if task["state"] == "pending":
                    task["state"] = "skipped"
            self._save(state, error)
            document = (self._folder / "progress.json").read_bytes()
        _write_durably(self._folder / "result.json", document)

    def _save(self, state: str, error: str) -> None:
        document = {
            "format": _RESULT_FORMAT,
            "state": state,
            "error": error,
            "tasks": list(self._tasks.values()),
        }
        draft = self._folder / "progress.json.new"
        draft.write_text(json.dumps(document), encoding="utf-8")
        draft.replace(self._folder / "progress.json")


class _Hooks:
    """The two private functions of KFP 2.17 that this replaces, to see each task begin, log and end."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self._folder = folder
        self._progress = progress
        # The task that this thread executes: KFP calls the second hook inside the first, in one thread.
        self._current = threading.local()

    def install(self) -> None:
        from kfp.local import subprocess_task_handler  # noqa: PLC0415
        from kfp.local.orchestrator import task_executor  # noqa: PLC0415

        self._execute_single_task = task_executor.execute_single_task
        task_executor.execute_single_task = self._observed_task
        subprocess_task_handler.run_local_subprocess = self._logged_process

    def _observed_task(self, *, task_name: str, pipeline_resource_name: str, pipeline_root: str, **rest: Any) -> Any:
        """Stand in for execute_single_task: the same, with a folder for each task and its progress noted.

        KFP names output folders after components, so two tasks of one component would overwrite each other.
        """
        iterations = pipeline_resource_name.split("/")[1:]
        name = self._current.name = self._progress.begin(".".join([*iterations, task_name]))
        self._current.exit_code = None
        try:
            outputs, status = self._execute_single_task(
                task_name=task_name,
                pipeline_resource_name=name,
                pipeline_root=pipeline_root,
                **rest,
            )
        except Exception as error:
            self._progress.finish(name, "failed", error=_explained(error))
            raise
        if status.name == "SUCCESS":
            self._progress.finish(name, "succeeded", artifacts=_artifacts(outputs))
        else:
            self._progress.finish(name, "failed", exit_code=self._current.exit_code)
        return outputs, status

    def _logged_process(self, full_command: list[str], env_vars: dict[str, str] | None = None) -> int:
        """Stand in for run_local_subprocess: the task's output goes to a file of its own."""
        log = self._folder / "logs" / f"{self._current.name}.log"
        with log.open("ab") as file:
            done = subprocess.run(
                full_command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=os.environ | (env_vars or {}),
                check=False,
            )
        self._current.exit_code = done.returncode
        return done.returncode


def _task_names(dag: Any, components: Any) -> list[str]:
    """Return the tasks known beforehand, in an order of execution; what loops will run is not among them."""
    from kfp.local import graph_utils  # noqa: PLC0415

    names: list[str] = []
    for name in reversed(graph_utils.topological_sort_tasks(dag.tasks)):
        task = dag.tasks[name]
        component = components[task.component_ref.name]
        if task.WhichOneof("iterator"):
            continue
        nested = component.WhichOneof("implementation") == "dag"
        names += _task_names(component.dag, components) if nested else [name]
    return names


def _typed(parameters: dict[str, Any], declared: Any) -> dict[str, Any]:
    """Give numbers the Python type that KFP's check wants: in JSON 1 and 1.0 are the same number."""
    from kfp.pipeline_spec.pipeline_spec_pb2 import ParameterType  # noqa: PLC0415

    def typed(name: str, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float) or name not in declared:
            return value
        wanted = declared[name].parameter_type
        if wanted == ParameterType.NUMBER_DOUBLE:
            return float(value)
        return int(value) if wanted == ParameterType.NUMBER_INTEGER and value == int(value) else value

    return {name: typed(name, value) for name, value in parameters.items()}


def _artifacts(outputs: dict[str, Any]) -> list[dict[str, Any]]:
    """Describe a task's output artifacts; a list of them is numbered. Output parameters are no artifacts."""
    found: list[dict[str, Any]] = []
    for name, value in outputs.items():
        several = isinstance(value, list)
        for number, artifact in enumerate(value if several else [value]):
            if hasattr(artifact, "schema_title"):
                found.append(
                    {
                        "name": f"{name}-{number}" if several else name,
                        "schema": artifact.schema_title,
                        "path": artifact.uri,
                        "metadata": _with_integers(artifact.metadata),
                    }
                )
    return found


def _with_integers(value: Any) -> Any:
    """Undo what protobuf's Struct does to JSON: no order, and floats only, so that [30] comes as [30.0]."""
    if isinstance(value, dict):
        return {key: _with_integers(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_with_integers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _explained(error: Exception) -> str:
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    if "Container Component" in text or "Containerized Python Component" in text:
        return f"{text} Container components need a cluster: here only lightweight Python components run."
    return f"{type(error).__name__}: {text}"


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _write_durably(path: Path, content: bytes) -> None:
    draft = path.with_name(path.name + ".new")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], [Path(path) for path in sys.argv[3:]])
