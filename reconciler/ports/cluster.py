"""Port: a Kubernetes cluster on which Argo CD makes rendered manifests real."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from reconciler.planning.cluster_objects import ClusterView


class Cluster(Protocol):
    """What stands on one cluster, and what Argo CD is asked: to look at git, to look for folders, to give a sync up.

    Nothing is applied through this port. Calls raise Waiting where the API server cannot answer now, and Stalled where
    it refuses whoever asks.
    """

    async def seen(self) -> ClusterView:
        """Return everything as it was last told; `away` says why it is not told now.

        Raises Waiting until everything was listed once. The view's mappings follow the cluster: they are good until
        the caller next awaits.
        """
        ...

    def hints(self) -> AsyncIterator[str]:
        """Yield whenever something changed; what it was says the view."""
        ...

    async def refresh(self, application: str) -> None:
        """Let Argo CD compare an Application with git now; one that is gone is no error."""
        ...

    async def generate(self, application_set: str) -> None:
        """Let Argo CD look for folders that came or went now; an ApplicationSet that is not there is no error."""
        ...

    async def abandon(self, application: str) -> None:
        """Let Argo CD give up the sync of an Application that is to go; one that is gone is no error."""
        ...
