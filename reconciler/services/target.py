"""What a platform acts on: one cluster by name, and where the credentials for it are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LOCAL = "local"
"""The Cluster that stands for this machine."""


@dataclass(frozen=True)
class Target:
    """One cluster. Credentials are named, never copied: a kubeconfig is read where it lies."""

    cluster: str = LOCAL
    kubeconfig: Path | None = None
    """None is this machine, or inside a cluster the account of the pod."""
    context: str | None = None
    """One of the kubeconfig's; None is its current one."""

    def words(self) -> tuple[str, ...]:
        """Return the options of a command that name it."""
        kubeconfig = ("--kubeconfig", str(self.kubeconfig)) if self.kubeconfig else ()
        context = ("--context", self.context) if self.context else ()
        return ("--cluster", self.cluster, *kubeconfig, *context)


ON_THIS_MACHINE = Target()
