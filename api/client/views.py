"""What the API answers, as values. Fields that a newer API adds are passed by."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from intents.kinds.base import Kind

T = TypeVar("T")


class View(BaseModel):
    """An answer, or a part of one."""

    model_config = ConfigDict(frozen=True)


class Page(View, Generic[T]):
    """A part of a list; `next` is the cursor of the one after it."""

    items: tuple[T, ...]
    next: str | None = None


class State(StrEnum):
    """What became of a request that was not refused."""

    WAITING = "waiting"
    COMMITTED = "committed"
    PROPOSED = "proposed"
    """It is an open change, which others have to approve."""
    CLOSED = "closed"
    """The change that it was about is closed."""


class Written(View):
    """A request that is durable: it is answered, whatever happens."""

    request: UUID
    state: State
    commit: str | None
    """The commit on main; None while there is none."""
    paths: tuple[str, ...]
    change: str | None = None
    """The change that it opened, where others have to approve it, or that it is about."""
    created: bool = False
    """Whether something is there now that was not."""


class IntentItem(View):
    """One intent at head, in a list."""

    path: str
    kind: Kind
    name: str
    tenant: str
    project: str
    version: str
    """Of a Template or ModelVersion."""
    date: str
    """Of a Run."""
    labels: dict[str, str]
    blob: str
    commit: str
    """The commit that last changed it."""
    author: str
    committed_at: datetime


class Version(View):
    """A commit that changed an intent."""

    commit: str
    at: datetime
    author: str
    """Empty where the commit changed others' intents too."""
    on_behalf_of: str
    """The person for whom the platform wrote it."""
    subject: str
    blob: str | None
    """What the commit left there; None: it removed the intent."""
    request: str

    @property
    def by(self) -> str:
        """Whose word it was."""
        return self.on_behalf_of or self.author


class At(View):
    """An intent at a commit; without a blob it is not there."""

    commit: str
    blob: str | None


class FieldDifference(View):
    """One field that differs: `added`, `changed` or `removed`."""

    change: str
    path: str
    """From the document's root: `spec.versions[v1].replicas.max`."""
    before: JsonValue = None
    after: JsonValue = None


class Diff(View):
    """What differs between an intent at two commits."""

    path: str
    before: At
    after: At
    text: str
    """Line by line, in unified form."""
    fields: tuple[FieldDifference, ...]


class ChangeState(StrEnum):
    """What became of a change."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class ChangeItem(View):
    """A change that others have to approve, or had to, in a list."""

    id: str
    state: ChangeState
    tenant: str
    project: str
    subject: str
    author: str
    paths: tuple[str, ...]
    base: str
    """The commit of main that it was last decided on."""
    head: str
    """Its own newest commit."""
    opened_at: datetime
    updated_at: datetime
    merge_when_approved: bool
    approved_by: tuple[str, ...]
    """Who said yes to its newest commit; whether that counts, the change itself tells."""
    commit: str | None
    """The commit of main that merged it."""
    ended_by: str | None


class ChangedFile(View):
    """One path of a change."""

    path: str
    change: str
    """`added`, `changed` or `removed`."""
    diff: str
    """What merging does to main as it is, line by line; of one that ended, what it asked."""


class ApprovalView(View):
    """One person's yes."""

    approver: str
    at: datetime
    counts: bool
    fallen: str
    """Why it does not count; empty where it does."""


class Approver(View):
    """A person, or a group, that may approve a change."""

    user: str | None = None
    group: str | None = None


class Task(View):
    """A task of a run."""

    name: str
    state: str
    started_at: datetime | None
    finished_at: datetime | None
    error: str
    metrics: dict[str, float | str]


class Run(View):
    """A run: what was asked, and where it stands."""

    uid: UUID
    attempt: int
    project: str
    name: str
    template: str
    parameters: dict[str, JsonValue]
    state: str
    reason: str
    commit: str
    model: str
    """`<model>@<version>` once one is registered."""
    created_at: datetime
    submitted_at: datetime | None
    finished_at: datetime | None
    delivery: str = "exactly-once"
    """`at-least-once` where the engine can run a submission twice; all but one execution are ended then."""
    duplicates: int = 0
    """Executions beyond the first that were found at the engine, and ended."""
    tasks: tuple[Task, ...] = ()
    """Of a run that was asked for by its name."""


class Started(Written):
    """A request for a run, which has its name from here on."""

    name: str
    project: str
    uid: UUID


class Live(View):
    """A version and its model; `weight` is its share of the traffic where it is live."""

    name: str
    model: str
    weight: int = 0


class Rollout(View):
    """What is live of a deployment; `hold` says why it moves no further."""

    live: tuple[Live, ...] = ()
    last_good: tuple[Live, ...] = Field(default=(), alias="lastGood")
    hold: dict[str, Any] | None = None


class Served(View):
    """A version as it is served."""

    name: str
    model: str
    weight: int
    state: str
    reason: str = ""


class DeploymentSpec(View):
    """What is asked for: versions with their models; the rest stands in the intent."""

    versions: tuple[Live, ...]


class Deployment(View):
    """A deployment: asked, live, served."""

    name: str
    project: str
    blob: str
    spec: DeploymentSpec
    rollout: Rollout | None
    served: tuple[Served, ...]
    ready: bool
    """What was asked for is all that is live, and a real inference was answered."""
    path: str
    """Where it is asked for inferences."""


class ModelVersion(View):
    """One version of a model in the registry."""

    id: str
    """`name@number`."""
    version: int
    digest: str


class Template(View):
    """A template of the catalog."""

    id: str
    """`name@version`."""
    name: str
    version: str
    deprecated: str | None = None
    """Why it should not be used any more."""


class Event(View):
    """One thing that happened, as a CloudEvent."""

    sequence: int
    type: str
    subject: str
    time: datetime
    data: dict[str, Any]
