"""What a deployment worker has noted of what is served, so that only what changes is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from intents.kinds import Kind
from intents.tree import Tree
from reconciler.planning.serving import Condition, Served
from reconciler.ports.status_ledger import StatusLedger
from reconciler.workers.rendered_branch import DeploymentKey

Observed = tuple[Served, Sequence[Condition]]


@dataclass
class ServedRecord:
    """Notes what changed since the last turn; a successor notes everything once."""

    status: StatusLedger
    _recorded: dict[DeploymentKey, Observed] = field(default_factory=dict)
    _kept: set[DeploymentKey] | None = None
    """The deployments that may have a status; None before the first turn."""

    async def note(self, tree: Tree, found: Mapping[DeploymentKey, Observed], commit: str) -> None:
        """Note what is served of every rendered deployment, and forget those that are neither asked for nor served."""
        asked = (each.identity for each in tree.of_kind(Kind.MODEL_DEPLOYMENT).values())
        keep = {*found, *((each.tenant, each.project, each.name) for each in asked)}
        if keep != self._kept:
            await self.status.forget_deployments(sorted(keep))
            self._kept = keep
        for key, (served, conditions) in found.items():
            if self._recorded.get(key) != (served, conditions):
                await self.status.record_served(served, conditions, commit)
        self._recorded = dict(found)
