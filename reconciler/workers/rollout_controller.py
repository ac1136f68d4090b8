"""The rollout controller: asks for the next Rollout document of every deployment that can move."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from intents.authority import Principal
from intents.documents import Document, of_spec
from intents.identity import Identity, path_of
from intents.kinds import Kind
from intents.kinds.model_deployment import ModelDeploymentSpec
from intents.kinds.rollout import RolloutSpec
from intents.tree import Tree
from intents.writing import dump
from reconciler.planning.rollouts import Step, next_step
from reconciler.planning.serving import Served
from reconciler.planning.writing import ABSENT, RequestId, Write, WriteAction, WriteRequest
from reconciler.ports.requests import RequestQueue, RequestState
from reconciler.ports.status_ledger import StatusLedger
from reconciler.workers.loop import Turned

PRINCIPAL = Principal(user="ordain-rollout-controller")


@dataclass(frozen=True)
class Asked:
    """A step that was asked for, and the documents it was decided on."""

    request: UUID
    deployment_blob: str
    rollout_blob: str


@dataclass
class RolloutController:
    """Asks for one step at a time; each is guarded by both documents: a stale one is refused and decided anew."""

    advance: Callable[[], Awaitable[Tree]]
    status: StatusLedger
    requests: RequestQueue
    new_id: Callable[[], UUID]
    _asked: dict[str, Asked] = field(default_factory=dict)

    async def turn(self) -> Turned:
        """Ask for the next step of each deployment that has one."""
        tree = await self.advance()
        for document in tree.of_kind(Kind.MODEL_DEPLOYMENT).values():
            deployment = of_spec(document, ModelDeploymentSpec)
            if deployment is not None:
                await self._step(tree, deployment)
        return Turned.IDLE

    async def _step(self, tree: Tree, deployment: Document[ModelDeploymentSpec]) -> None:
        who = deployment.identity
        rollout = tree.rollout(who.tenant, who.project, who.name)
        served = await self._served(rollout)
        step = next_step(deployment.spec, deployment.blob, rollout.spec if rollout else None, served)
        if step is None or await self._asked_already(deployment, rollout):
            return
        request = rollout_request(RequestId(self.new_id()), deployment, rollout, step)
        await self.requests.put(request)
        self._asked[deployment.path] = Asked(request.id, deployment.blob, rollout.blob if rollout else "")

    async def _served(self, rollout: Document[RolloutSpec] | None) -> Served | None:
        """Return what is served, if it is served for this very rollout document."""
        if rollout is None:
            return None
        who = rollout.identity
        served = await self.status.served(who.tenant, who.project, who.name)
        return served if served is not None and served.rollout_blob == rollout.blob else None

    async def _asked_already(
        self, deployment: Document[ModelDeploymentSpec], rollout: Document[RolloutSpec] | None
    ) -> bool:
        """Say whether a step on these very documents waits, or was refused for a reason that still holds."""
        asked = self._asked.get(deployment.path)
        same = (deployment.blob, rollout.blob if rollout else "")
        if asked is None or (asked.deployment_blob, asked.rollout_blob) != same:
            return False
        answer = await self.requests.status(asked.request)
        return answer is not None and answer.state is not RequestState.COMMITTED and not answer.conflict


def rollout_request(
    request: RequestId,
    deployment: Document[ModelDeploymentSpec],
    rollout: Document[RolloutSpec] | None,
    step: Step,
    on_behalf_of: str = "",
) -> WriteRequest:
    """Return the request that commits `step`, if both documents still are what it was decided on."""
    who = deployment.identity
    path = path_of(Identity(Kind.ROLLOUT, who.name, who.tenant, who.project))
    before = ABSENT if rollout is None else rollout.blob
    return WriteRequest(
        id=request,
        tenant=who.tenant,
        project=who.project,
        subject=f"{step.summary} ({who.tenant}/{who.project}/{who.name})",
        principal=PRINCIPAL,
        writes=(
            Write(path, WriteAction.PUT, dump(Kind.ROLLOUT, step.rollout), before),
            Write(deployment.path, WriteAction.GUARD, expects=deployment.blob),
        ),
        on_behalf_of=on_behalf_of,
        cause=f"{deployment.path} {deployment.blob}",
        body=step.evidence,
    )
