"""A KFP 2.17 API server with its database, its persistence agent, and the Kubernetes it makes Workflows on, in memory.

It does what a real one was seen to do, the bad parts included: a run's Workflow is made first and its row second, a run
id is no idempotency key, every report overwrites a row's state, and a Workflow without a row is deleted after a while.
`faults` and the switches make it fail where real ones fail. What it made is counted; see `doubled`.
"""

from __future__ import annotations

import itertools
import random
import re
import string
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from uuid import uuid4

from reconciler.drivers.fake_pipelines import FakeProgram
from tests.support.kfp_checks import check_graph, check_inputs, check_pipeline
from tests.support.kfp_objects import Experiment, Row, Workflow, tasks_of
from tests.support.kfp_wire import (
    ABORTED,
    INTERNAL,
    INVALID,
    NOT_FOUND,
    Json,
    by_gateway,
    refused,
)

PIPELINE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
LONGEST_LABEL = 63
LONGEST_NAME = 128
RUN_FIELDS = {
    "run_id", "display_name", "description", "experiment_id", "pipeline_spec", "pipeline_version_id",
    "pipeline_version_reference", "recurring_run_id", "runtime_config", "service_account", "plugins_input",
    "plugins_output", "storage_state",
}  # fmt: skip
ROOT_NAMESPACE = "kubeflow"


class Fault(Enum):
    """What goes wrong with one POST of a run."""

    DIES_BEFORE = auto()
    """The connection is cut, nothing was made."""
    DIES_BETWEEN = auto()
    """The server dies after the Workflow and before the row: the connection is cut."""
    ROW_FAILS = auto()
    """The Workflow is made, the database does not take the row: 500."""
    FAILS_AFTER = auto()
    """Both are made, the answer is 500."""
    CUT_AFTER = auto()
    """Both are made, the connection is cut."""
    ANSWERS_LATE = auto()
    """Both are made, the answer comes when the client has left."""
    TAKEN_LATE = auto()
    """Nothing is made until the client has left; then both are: a 404 turns 200."""


class Cut(Exception):
    """The connection ends without an answer."""


@dataclass
class KfpDouble:
    """The server's state and what it does; `tests.support.kfp_server` puts it on the wire."""

    programs: Mapping[str, FakeProgram] = field(default_factory=dict)
    put: Callable[[str, str, bytes], None] = lambda *_: None
    """Writes an object: bucket, key, bytes."""
    policy: bool = True
    """Whether Kubernetes names each Workflow after its run."""
    multi_user: bool = False
    tokens: set[str] | None = None
    """Who is let in; None is everybody."""
    late_seconds: float = 1.0
    """Longer than the client waits."""
    grace_seconds: float = 0.5
    """How long a Workflow may be without a row; 120 s on a real one."""
    faults: Iterator[Fault | None] = field(default_factory=lambda: itertools.repeat(None))
    """What goes wrong with the next POSTs of runs."""
    list_delay: float = 0.0
    database_down: bool = False
    kubernetes_down: bool = False
    agent_down: bool = False

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        description = "All runs created without specifying an experiment will be grouped here."
        default = Experiment("Default", "", description)
        self.experiments = {default.id: default}
        self.rows: dict[str, Row] = {}
        self.workflows: dict[tuple[str, str], Workflow] = {}
        self.begun: Counter[str] = Counter()
        """Workflows that began to run, by run id."""
        self.completed: Counter[str] = Counter()
        """Workflows that came to their own end and that KFP did not take away."""
        self.taken_away: Counter[str] = Counter()
        """Workflows that never got a row, and that KFP's agent deleted."""
        self.side_by_side: set[str] = set()
        """Runs that had two living Workflows at once."""
        self.asked: Counter[str] = Counter()
        """Requests by method and route."""

    def doubled(self) -> set[str]:
        """Return the runs of which two executions were under way at once, or came to their end."""
        return self.side_by_side | {run_id for run_id, count in self.completed.items() if count > 1}

    # Experiments

    def create_experiment(self, asked: Json) -> Json:
        self._reach_database("Failed to create a experiment")
        name = asked.get("display_name", "")
        if not name:
            text = "Experiment must have a non-empty name"
            before = "[ExperimentServer]: Failed to create a experiment due to conversion error: InternalServerError: "
            message = f"{before}Failed to convert API experiment to model experiment: Invalid input error: {text}"
            raise refused(INTERNAL, message, text)
        namespace = asked.get("namespace", "") if self.multi_user else ""
        if self._named(name, namespace):
            text = f"Failed to create a new experiment. The name {name} already exists. Please specify a new name"
            raise refused(6, f"Failed to create a experiment: Already exist error: {text}", text)
        made = Experiment(name, namespace, asked.get("description", ""))
        self.experiments[made.id] = made
        return made.to_json()

    def experiment(self, experiment_id: str) -> Experiment:
        self._reach_database("Failed to fetch experiment")
        found = self.experiments.get(experiment_id)
        if found is None:
            text = f"Experiment {experiment_id} not found"
            raise refused(NOT_FOUND, f"Failed to fetch experiment: ResourceNotFoundError: {text}", text)
        return found

    def _named(self, name: str, namespace: str) -> Experiment | None:
        found = (each for each in self.experiments.values() if (each.name, each.namespace) == (name, namespace))
        return next(found, None)

    # Runs

    def create_run(self, asked: Json) -> Json:
        fault = next(self.faults, None)
        if fault is Fault.DIES_BEFORE:
            raise Cut
        if fault is Fault.TAKEN_LATE:
            time.sleep(self.late_seconds)
        with self.lock:
            row = self._create_run(asked, fault)
        if fault is Fault.FAILS_AFTER:
            text = "Failed to set last run timestamp on experiment: InternalServerError: invalid connection"
            raise refused(INTERNAL, f"Failed to create a new run: {text}", text)
        if fault is Fault.CUT_AFTER:
            raise Cut
        if fault is Fault.ANSWERS_LATE:
            time.sleep(self.late_seconds)
        return row.to_json()

    def _create_run(self, asked: Json, fault: Fault | None) -> Row:
        _refuse_form(asked)
        experiment = self._experiment_of(asked)
        sent = asked.get("pipeline_spec") or {}
        pipeline: Json = sent.get("pipeline_spec") or sent
        check_pipeline(pipeline)
        check_inputs(pipeline, asked.get("runtime_config", {}).get("parameters", {}))
        check_graph(pipeline)
        run_id = asked.get("run_id") or str(uuid4())
        workflow = self._create_workflow(asked, pipeline, run_id, experiment.namespace or ROOT_NAMESPACE)
        if fault is Fault.DIES_BETWEEN:
            raise Cut
        return self._create_row(asked, workflow, experiment, fails=fault is Fault.ROW_FAILS)

    def _experiment_of(self, asked: Json) -> Experiment:
        before = (
            "Failed to create a new run: Failed to create a run due to invalid experimentId and namespace combination: "
        )
        if self.database_down:
            text = "Error when getting default experiment ID: invalid connection"
            default = "Specify experiment id or check if the default experiment exists in namespace : "
            raise refused(INTERNAL, f"{before}{default}InternalServerError: {text}", text)
        experiment_id = asked.get("experiment_id") or next(iter(self.experiments))
        found = self.experiments.get(experiment_id)
        if found is None:
            text = f"Experiment {experiment_id} not found"
            middle = (
                f"Failed to fetch namespace for experiment {experiment_id}: "
                f"Failed to fetch namespace from experiment {experiment_id}: ResourceNotFoundError: "
            )
            raise refused(NOT_FOUND, f"{before}{middle}{text}", text)
        return found

    def _create_workflow(self, asked: Json, pipeline: Json, run_id: str, namespace: str) -> Workflow:
        before = "Failed to create a new run: InternalServerError: Failed to create a workflow for (): "
        if self.kubernetes_down:
            text = 'Post "https://10.96.0.1/apis/argoproj.io/v1alpha1/workflows": read: connection reset by peer'
            raise refused(INTERNAL, before + text, text)
        pipeline_name = pipeline["pipelineInfo"]["name"].rpartition("/")[2]
        name = f"run-{run_id}" if self.policy else f"{pipeline_name}-{_suffix()}"
        if wrong := _invalid_workflow(f"{pipeline_name}-{_suffix()}", pipeline_name, run_id):
            raise refused(INTERNAL, before + wrong, wrong)
        if (namespace, name) in self.workflows:
            unable = "the server was not able to generate a unique name for the object"
            text = f'workflows.argoproj.io "{name}" already exists, {unable}'
            raise refused(INTERNAL, before + text, text)
        root = asked.get("runtime_config", {}).get("pipeline_root", "s3://mlpipeline").removeprefix("s3://")
        program = self.programs.get(pipeline_name, FakeProgram("task"))
        made = Workflow(name, namespace, run_id, program, f"{root}/{pipeline_name}/{run_id}")
        if any(each.run_id == run_id and not each.completed for each in self.workflows.values()):
            self.side_by_side.add(run_id)
        self.workflows[namespace, name] = made
        return made

    def _create_row(self, asked: Json, workflow: Workflow, experiment: Experiment, *, fails: bool) -> Row:
        name = asked["display_name"]
        before = "Failed to create a new run: Failed to create a run: InternalServerError: Failed to store run "
        wrong = ""
        if fails:
            wrong = "driver: bad connection"
        elif len(name) > LONGEST_NAME:
            wrong = "Error 1406 (22001): Data too long for column 'DisplayName' at row 1"
        elif workflow.run_id in self.rows:
            wrong = f"Error 1062 (23000): Duplicate entry '{workflow.run_id}' for key 'PRIMARY'"
        if wrong:
            raise refused(INTERNAL, f"{before}{name} to table: {wrong}", wrong)
        row = Row(workflow.run_id, workflow.name, workflow.namespace, asked, experiment.id)
        self.rows[row.run_id] = row
        return row

    def run(self, run_id: str, doing: str = "Failed to get a run: ") -> Row:
        if self.database_down:
            text = "dial tcp 127.0.0.1:3306: connect: connection refused"
            raise refused(
                INTERNAL, f"{doing}Failed to fetch run {run_id}: InternalServerError: Failed to get run: {text}", text
            )
        row = self.rows.get(run_id)
        if row is None:
            text = f"Run {run_id} not found"
            raise refused(NOT_FOUND, f"{doing}Failed to fetch run {run_id}: ResourceNotFoundError: {text}", text)
        return row

    def terminate(self, run_id: str) -> Json:
        terminating = f"Failed to terminate run {run_id}"
        doing = f"Failed to terminate a run: {terminating}"
        row = self.run(run_id, f"{doing} due to error fetching the run: ")
        if row.state not in {"PENDING", "RUNNING", "PAUSED"}:
            text = f"Failed to terminate a run {run_id}. Row not found"
            raise refused(INVALID, f"{doing}: Invalid input error: {text}", text)
        row.state = "CANCELING"
        workflow = self.workflows.get((row.namespace, row.workflow))
        if workflow is None or self.kubernetes_down:
            text = f'workflows.argoproj.io "{row.workflow}" not found'
            patching = f"Failed to terminate workflow {row.workflow} due to patching error"
            message = f"due to error terminating its workflow: {patching} after multiple retries: {patching}: {text}"
            raise refused(INTERNAL, f"Failed to terminate a run: InternalServerError: {terminating} {message}", text)
        workflow.terminated = True
        return {}

    def archive(self, run_id: str, state: str) -> Json:
        verb = "archive" if state == "ARCHIVED" else "unarchive"
        doing = f"Failed to {verb} a run: Failed to {verb} run {run_id} as it failed to be retrieved: "
        self.run(run_id, doing).storage_state = state
        return {}

    def delete_run(self, run_id: str) -> Json:
        doing = f"Failed to delete a run: Failed to delete run {run_id} as it does not exist: "
        row = self.run(run_id, doing)
        self.workflows.pop((row.namespace, row.workflow), None)
        del self.rows[run_id]
        return {}

    def _reach_database(self, doing: str) -> None:
        if self.database_down:
            text = "dial tcp 127.0.0.1:3306: connect: connection refused"
            raise refused(INTERNAL, f"{doing}: InternalServerError: {text}", text)

    # The controller and the persistence agent

    def work(self) -> None:
        """Take every Workflow one phase further, and report it."""
        with self.lock:
            living = [each for each in self.workflows.values() if not each.settled]
        for workflow in living:
            self._advance(workflow)
            with self.lock:
                if not self.agent_down and not self.database_down:
                    self._report(workflow)

    def collect_garbage(self) -> None:
        """Delete completed Workflows, as their time to live does."""
        with self.lock:
            self.workflows = {key: each for key, each in self.workflows.items() if not each.completed}

    def _advance(self, workflow: Workflow) -> None:
        if workflow.state == "PENDING":
            self.begun[workflow.run_id] += 1
            workflow.state = "RUNNING"
        elif workflow.completed:
            return
        elif workflow.terminated:
            self._finish(workflow, "FAILED")
        elif not workflow.program.endless:
            self._write_outputs(workflow)
            self.completed[workflow.run_id] += 1
            workflow.own_end = True
            self._finish(workflow, "FAILED" if workflow.program.error else "SUCCEEDED")

    def _finish(self, workflow: Workflow, state: str) -> None:
        workflow.state, workflow.finished = state, datetime.now(UTC)

    def _write_outputs(self, workflow: Workflow) -> None:
        program = workflow.program
        bucket, _, root = f"{workflow.root}/{program.task}/{uuid4()}".partition("/")
        self.put(bucket, f"{root}/executor-logs", program.log)
        if not program.error:
            for output in program.outputs:
                for path, body in output.files.items():
                    self.put(bucket, f"{root}/{output.name}/{path}".rstrip("/"), body)

    def _report(self, workflow: Workflow) -> None:
        row = self.rows.get(workflow.run_id)
        if (workflow.namespace, workflow.name) not in self.workflows:
            return
        if row is None:
            if (datetime.now(UTC) - workflow.created).total_seconds() > self.grace_seconds:
                del self.workflows[workflow.namespace, workflow.name]
                self.taken_away[workflow.run_id] += 1
                self.completed[workflow.run_id] -= workflow.own_end
            return
        row.move("CANCELING" if workflow.terminated and not workflow.completed else workflow.state)
        row.finished, row.tasks = workflow.finished, list(tasks_of(workflow))
        workflow.reported = (workflow.state, workflow.terminated)


def _refuse_form(asked: Json) -> None:
    if unknown := sorted(asked.keys() - RUN_FIELDS):
        raise by_gateway(INVALID, f'proto: (line 1:1): unknown field "{unknown[0]}"')
    if "plugins_output" in asked:
        text = "plugins_output is server-owned and populated exclusively via plugin lifecycle hooks"
        raise refused(ABORTED, f"BadRequestError: {text}: plugins_output must not be set by the client", text)
    if not asked.get("display_name"):
        text = "Run name cannot be empty"
        before = "CreateJob(job.ToV2())Failed to create a run due to conversion error: InternalServerError: "
        message = (
            f"{before}Failed to convert a API run detail to its internal representation: Invalid input error: {text}"
        )
        raise refused(INTERNAL, message, text)


def _invalid_workflow(generated: str, pipeline_name: str, run_id: str) -> str:
    """Return what Kubernetes has against a Workflow."""
    if not PIPELINE_NAME.fullmatch(f"{pipeline_name}-x"):
        return (
            f'Workflow.argoproj.io "{generated}" is invalid: [metadata.generateName: Invalid value: "{pipeline_name}-"'
        )
    wrong = f'Workflow.argoproj.io "{generated}" is invalid: metadata.labels: Invalid value: "{run_id}": '
    if len(run_id) > LONGEST_LABEL:
        return f"{wrong}must be no more than {LONGEST_LABEL} bytes"
    return "" if LABEL.fullmatch(run_id) else f"{wrong}a valid label must be an empty string or consist of"


def _suffix() -> str:
    return "".join(random.choices(string.ascii_lowercase + string.digits, k=5))  # noqa: S311 - a name
