"""The Workflows that KFP makes of runs, as Kubernetes has them: what KFP itself cannot be asked about.

Only their metadata is read: a Workflow weighs up to 250 KB, its metadata half of one. `list` and `delete` on Workflows
and `get` on admission policies, cluster-wide, are all the rights it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

import httpx

from reconciler.ports.errors import Stalled, Waiting
from renderers.admission import API_VERSION, ONE_WORKFLOW, RUN_ID_LABEL

WORKFLOWS = "/apis/argoproj.io/v1alpha1"
POLICIES = (f"mutatingadmissionpolicies/{ONE_WORKFLOW}", f"mutatingadmissionpolicybindings/{ONE_WORKFLOW}")
METADATA = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
COMPLETED = "workflows.argoproj.io/completed"
PAGE = 500


@dataclass(frozen=True)
class Workflow:
    """One Workflow of a run."""

    namespace: str
    name: str
    run_id: str
    created: str
    """RFC 3339, in UTC and whole seconds: it sorts as text."""
    completed: bool


class Server(Protocol):
    """A Kubernetes API server, asked as somebody."""

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Return an answer, whatever its status. Raises Waiting while there is none, Stalled for who is not known."""
        ...


class Workflows(Protocol):
    """The Workflows of a cluster. Calls raise Waiting where Kubernetes cannot answer now."""

    async def of_run(self, run_id: str) -> Sequence[Workflow] | None:
        """Return the Workflows that bear a run's id, or None where nobody may look."""
        ...

    async def of_runs(self) -> Sequence[Workflow]:
        """Return the Workflows of all runs; none where nobody may look."""
        ...

    async def terminated(self, run_id: str) -> bool:
        """Whether a run's Workflow was told to end. KFP calls such a run FAILED, like one that failed by itself."""
        ...

    async def delete(self, workflow: Workflow) -> None:
        """Delete a Workflow with its pods; one that is gone is no error."""
        ...

    async def named_after_runs(self) -> bool:
        """Whether Kubernetes names each Workflow after its run, so that there is one at most."""
        ...


class UnseenWorkflows:
    """The Workflows of a cluster whose Kubernetes ordain may not ask."""

    async def of_run(self, run_id: str) -> None:
        """Nobody knows."""

    async def of_runs(self) -> Sequence[Workflow]:
        """Return none."""
        return ()

    async def terminated(self, run_id: str) -> bool:  # noqa: ARG002 - of no run
        """Nobody knows, so KFP's word stands."""
        return False

    async def delete(self, workflow: Workflow) -> None:
        """Refuse what cannot be done."""
        raise Stalled(f"the Workflow {workflow.namespace}/{workflow.name} cannot be deleted without Kubernetes")

    async def named_after_runs(self) -> bool:
        """Nobody knows, so nothing may be promised."""
        return False


class KubernetesWorkflows:
    """The Workflows of a cluster, by the API of its Kubernetes."""

    def __init__(self, server: Server) -> None:
        """Ask `server`."""
        self._server = server

    async def of_run(self, run_id: str) -> Sequence[Workflow]:
        """Return the Workflows that bear a run's id."""
        return await self._list(f"{RUN_ID_LABEL}={run_id}")

    async def of_runs(self) -> Sequence[Workflow]:
        """Return the Workflows of all runs."""
        return await self._list(RUN_ID_LABEL)

    async def terminated(self, run_id: str) -> bool:
        """Whether a run's Workflow was told to end: KFP's server does that by a deadline of 0 s."""
        query = {"labelSelector": f"{RUN_ID_LABEL}={run_id}"}
        answer = await self._server.ask("GET", f"{WORKFLOWS}/workflows", params=query)
        _refuse_failure(answer, "reading a Workflow")
        return any(each["spec"].get("activeDeadlineSeconds") == 0 for each in answer.json()["items"])

    async def delete(self, workflow: Workflow) -> None:
        """Delete a Workflow with its pods; one that is gone is no error."""
        path = f"{WORKFLOWS}/namespaces/{workflow.namespace}/workflows/{workflow.name}"
        answer = await self._server.ask("DELETE", path)
        if answer.status_code != HTTPStatus.NOT_FOUND:
            _refuse_failure(answer, f"deleting the Workflow {workflow.namespace}/{workflow.name}")

    async def named_after_runs(self) -> bool:
        """Whether the policy and its binding are there; who may not look may not rely on them."""
        for path in POLICIES:
            answer = await self._server.ask("GET", f"/apis/{API_VERSION}/{path}")
            if answer.status_code in {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}:
                return False
            _refuse_failure(answer, f"reading {path}")
        return True

    async def _list(self, selector: str) -> list[Workflow]:
        found: list[Workflow] = []
        following: str | None = ""
        while following is not None:
            query = {"labelSelector": selector, "limit": str(PAGE), **({"continue": following} if following else {})}
            answer = await self._server.ask("GET", f"{WORKFLOWS}/workflows", params=query, headers=METADATA)
            _refuse_failure(answer, "listing Workflows")
            listed = answer.json()
            # A list of nothing but metadata that is empty has null for its items.
            found += [_workflow(each["metadata"]) for each in listed["items"] or ()]
            following = listed["metadata"].get("continue") or None
        return found


def _refuse_failure(answer: httpx.Response, doing: str) -> None:
    if answer.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise Stalled(f"Kubernetes refuses whoever asks, {doing}: {answer.text[:200]}; give the account the rights")
    if not answer.is_success:
        raise Waiting(f"Kubernetes answered {answer.status_code}, {doing}: {answer.text[:200]}")


def _workflow(metadata: dict[str, Any]) -> Workflow:
    labels = metadata["labels"]
    return Workflow(
        namespace=metadata["namespace"],
        name=metadata["name"],
        run_id=labels[RUN_ID_LABEL],
        created=metadata["creationTimestamp"],
        completed=labels.get(COMPLETED) == "true",
    )
