"""One experiment a project: found by its name, made where it is not there."""

from __future__ import annotations

from dataclasses import dataclass, field

from reconciler.drivers.kubernetes.kfp_api import KfpApi
from reconciler.ports.errors import Waiting
from reconciler.ports.pipelines import ProjectKey
from renderers.kfp import experiment_body, experiment_name


@dataclass
class Experiments:
    """The experiments of projects by their ids, each asked for once."""

    api: KfpApi
    _known: dict[ProjectKey, str] = field(default_factory=dict)
    _multi_user: bool | None = None

    async def find(self, project: ProjectKey) -> str | None:
        """Return the id of a project's experiment, or None where it has none yet."""
        if project not in self._known:
            name = experiment_name(*project)
            found = await self.api.experiment(name, name if await self._namespaced() else "")
            if found is None:
                return None
            self._known[project] = found
        return self._known[project]

    async def of(self, project: ProjectKey) -> str:
        """Return the id of a project's experiment, which is there afterwards."""
        found = await self.find(project)
        if found is None:
            found = await self.api.create_experiment(experiment_body(*project)) or await self.find(project)
        if found is None:
            raise Waiting(f"KFP neither has nor makes the experiment {experiment_name(*project)}")
        self._known[project] = found
        return found

    def forget(self, project: ProjectKey) -> None:
        """Ask again next time: somebody deleted it."""
        self._known.pop(project, None)

    async def _namespaced(self) -> bool:
        if self._multi_user is None:
            self._multi_user = await self.api.multi_user()
        return self._multi_user
