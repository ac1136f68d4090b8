"""What a KFP server and its Kubernetes keep: experiments, Workflows and rows, each as it is told on the wire."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from reconciler.drivers.fake_pipelines import FakeProgram
from tests.support.kfp_wire import NEVER, Json, time_of, without_zeros

FINAL = {"SUCCEEDED", "FAILED"}


@dataclass
class Experiment:
    """One experiment."""

    name: str
    namespace: str
    description: str = ""
    id: str = field(default_factory=lambda: str(uuid4()))
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    storage_state: str = "AVAILABLE"

    def to_json(self) -> Json:
        return without_zeros(
            {
                "experiment_id": self.id,
                "display_name": self.name,
                "description": self.description,
                "created_at": time_of(self.created),
                "namespace": self.namespace,
                "storage_state": self.storage_state,
                "last_run_created_at": time_of(NEVER),
            }
        )


@dataclass
class Workflow:
    """One Workflow on Kubernetes, which a controller takes from phase to phase."""

    name: str
    namespace: str
    run_id: str
    program: FakeProgram
    root: str
    """Where below object storage its tasks put their outputs: bucket and key."""
    uid: str = field(default_factory=lambda: str(uuid4()))
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    state: str = "PENDING"
    terminated: bool = False
    finished: datetime = NEVER
    own_end: bool = False
    """It came to its own end and was not stopped."""
    reported: tuple[str, bool] | None = None
    """State and whether it was terminated, as the database has them."""

    @property
    def settled(self) -> bool:
        """Whether nothing will come of it by itself, and the database knows."""
        rests = self.completed or (self.program.endless and not self.terminated)
        return rests and self.reported == (self.state, self.terminated)

    @property
    def completed(self) -> bool:
        return self.state in FINAL

    def to_json(self) -> Json:
        """Return what matters of it, as Kubernetes lists it."""
        labels = {"pipeline/runid": self.run_id, "workflows.argoproj.io/phase": self.state.capitalize()}
        if self.completed:
            labels["workflows.argoproj.io/completed"] = "true"
        return {
            "spec": {"activeDeadlineSeconds": 0} if self.terminated else {},
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "uid": self.uid,
                "creationTimestamp": time_of(self.created),
                "labels": labels,
            },
        }


@dataclass
class Row:
    """One run in the database."""

    run_id: str
    workflow: str
    namespace: str
    asked: Json
    experiment_id: str
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    storage_state: str = "AVAILABLE"
    state: str = "PENDING"
    history: list[Json] = field(default_factory=list)
    tasks: list[Json] = field(default_factory=list)
    finished: datetime = NEVER

    def __post_init__(self) -> None:
        self.move("PENDING")

    def move(self, state: str) -> None:
        self.state = state
        if not self.history or self.history[-1]["state"] != state:
            self.history.append({"update_time": time_of(datetime.now(UTC)), "state": state})

    def to_json(self) -> Json:
        return without_zeros(
            {
                "experiment_id": self.experiment_id,
                "run_id": self.run_id,
                "display_name": self.asked["display_name"],
                "description": self.asked.get("description", ""),
                "storage_state": self.storage_state,
                "runtime_config": without_zeros(self.asked.get("runtime_config", {})),
                "service_account": self.asked.get("service_account") or "pipeline-runner",
                "created_at": time_of(self.created),
                "scheduled_at": time_of(self.created),
                "finished_at": time_of(self.finished),
                "state": self.state,
                "run_details": without_zeros({"task_details": self.tasks}),
                "state_history": self.history,
            }
        ) | {"pipeline_spec": stored_spec(self.asked["pipeline_spec"])}


def stored_spec(sent: Json) -> Json:
    """Return a pipeline spec as it comes back: a platform spec that says nothing takes the pipeline with it."""
    if "pipeline_spec" not in sent or sent.get("platform_spec", {}).get("platforms", {}).get("kubernetes"):
        return sent
    return {} if "platform_spec" in sent else dict(sent["pipeline_spec"])


def tasks_of(workflow: Workflow) -> Iterable[Json]:
    """Return the nodes of a Workflow: one for itself, then those of its drivers, DAGs and pods."""
    task, state = workflow.program.task, workflow.state
    for name in (workflow.name, "root-driver", "root", f"{task}-driver", task, "executor"):
        done = "SUCCEEDED" if name.endswith("-driver") else state
        failed = {"error": {"code": 13, "message": workflow.program.error}} if name == task else {}
        yield without_zeros(
            {
                "run_id": workflow.run_id,
                "task_id": str(uuid4()),
                "display_name": name,
                "create_time": time_of(workflow.created),
                "start_time": time_of(workflow.created),
                "end_time": time_of(workflow.finished),
                "state": done,
                "state_history": [{"update_time": time_of(workflow.created), "state": done}],
                **(failed if state == "FAILED" and workflow.program.error else {}),
            }
        )
