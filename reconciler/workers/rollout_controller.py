"""The rollout controller: asks for the next Rollout document of every deployment that can move."""

from __future__ import annotations

import logging
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
from reconciler.planning.writing import ABSENT, Refused, RequestId, Write, WriteAction, WriteRequest, decide_request
from reconciler.ports.requests import RequestQueue, RequestState
from reconciler.ports.status_ledger import StatusLedger
from reconciler.workers.loop import Turned

log = logging.getLogger(__name__)

PRINCIPAL = Principal(user="ordain-rollout-controller")


@dataclass
class RolloutController:
    """Asks for one step at a time; each is guarded by both documents: a stale one is refused and decided anew."""

    advance: Callable[[], Awaitable[Tree]]
    status: StatusLedger
    requests: RequestQueue
    new_id: Callable[[], UUID]
    _asked: dict[str, UUID] = field(default_factory=dict)
    """The last request by the deployment's path."""
    _said: dict[str, str] = field(default_factory=dict)

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
        if step is None or await self._waits(deployment.path):
            return
        request = rollout_request(RequestId(self.new_id()), deployment, rollout, step)
        _, decision = decide_request(tree, request)
        if isinstance(decision, Refused):
            self._say_refused(decision)
            return
        await self.requests.put(request)
        self._asked[deployment.path] = request.id

    def _say_refused(self, decision: Refused) -> None:
        """Say once why the writer would refuse a step; it is decided anew whenever this loop turns."""
        problems = "; ".join(str(problem) for problem in decision.problems)
        if self._said.get(decision.request.cause) != problems:
            log.error("%s cannot be taken: %s", decision.request.subject, problems)
        self._said[decision.request.cause] = problems

    async def _served(self, rollout: Document[RolloutSpec] | None) -> Served | None:
        """Return what is served, if it is served for this very rollout document."""
        if rollout is None:
            return None
        who = rollout.identity
        served = await self.status.served(who.tenant, who.project, who.name)
        return served if served is not None and served.rollout_blob == rollout.blob else None

    async def _waits(self, path: str) -> bool:
        """Say whether the last step that was asked for still waits for the writer, or for a person."""
        if path not in self._asked:
            return False
        answer = await self.requests.status(self._asked[path])
        return answer is not None and answer.state in {RequestState.WAITING, RequestState.PARKED}


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
