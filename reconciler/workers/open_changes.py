"""What is open beside main, read: the branches `change/*` as plans want them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from intents.identity import identify
from intents.problems import InvalidIntent
from intents.reading import read
from intents.tree import AnyDocument
from reconciler.planning.plan import OpenChange
from reconciler.ports.branches import Branches, OpenBranch


@dataclass
class OpenChanges:
    """The open changes of one repository; each branch is read once, for as long as it stays as it is."""

    branches: Branches
    _known: dict[OpenBranch, OpenChange] = field(default_factory=dict)

    def beside(self, base: str, planned: str = "") -> tuple[OpenChange, ...]:
        """Return what is open at the commit `base`, but for the branch whose tip is `planned`."""
        found = [each for each in self.branches.open_branches(base) if each.tip != planned]
        self._known = {each: self._known.get(each) or self._read(each) for each in found}
        return tuple(self._known.values())

    def _read(self, branch: OpenBranch) -> OpenChange:
        return OpenChange(branch.name, dict(self._documents(branch)))

    def _documents(self, branch: OpenBranch) -> Iterator[tuple[str, AnyDocument | None]]:
        """Yield the intents that a branch changes; what cannot be read is the matter of its own plan."""
        for each in self.branches.changes(branch.fork, branch.tip):
            if identify(each.path) is None:
                continue
            try:
                yield each.path, read(each.path, self.branches.blob(each.blob), each.blob) if each.blob else None
            except InvalidIntent:
                continue
