"""What the rendered branch of a cluster must hold: every unit as it was last rendered, advanced by changed paths."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from intents.tree import Tree
from intents.writing import blob_id
from reconciler.planning.serving import Condition
from renderers.canonical import to_yaml
from renderers.rendering import is_there, render_unit, sources, units, units_of
from renderers.unit import Unit, folder_of

METADATA = "hydrator.metadata"
"""Beside the manifests of a folder: the commit of main they are of, in the words of Argo CD's Source Hydrator."""

Files = dict[str, bytes | None]
"""Paths with their new bytes, or None to remove them."""


def rendered_ref(cluster: str) -> str:
    """Return the branch that holds a cluster's manifests."""
    return f"refs/heads/rendered/{cluster}"


def is_manifest(path: str) -> bool:
    """Say whether a path of the branch is rendered from an intent."""
    return not path.endswith(METADATA)


@dataclass(frozen=True)
class Rendering:
    """One unit as it was rendered; of its files only the blob ids are kept."""

    sources: Mapping[str, str]
    """Blob ids of all it follows from, by path; of what is absent, nothing."""
    files: Mapping[str, str]
    problem: str = ""
    """Why it cannot be rendered; its files then stay as they are, and others go on."""


class Renderings:
    """All units of a cluster. A change costs what it touches, not what there is."""

    def __init__(self, cluster: str) -> None:
        """Begin with no unit."""
        self._cluster = cluster
        self._by_unit: dict[Unit, Rendering] = {}
        self._followers: defaultdict[str, set[Unit]] = defaultdict(set)
        """Units by the paths they follow from."""
        self._living: Counter[str] = Counter()
        """How many files each folder has."""
        self._held: set[Unit] = set()
        """Units that failed at the first look: which files of the branch are theirs is not known."""

    def get(self, unit: Unit) -> Rendering | None:
        """Return a unit as it was last rendered."""
        return self._by_unit.get(unit)

    def advance(self, tree: Tree, changed: Iterable[str] | None) -> tuple[Files, Collection[Unit]]:
        """Render what follows from changed paths, or everything for None.

        Returns what differs from before, and the units that were looked at anew.
        """
        files: Files = {}
        affected = self._affected(tree, changed)
        for unit in affected:
            files |= self._replace(tree, unit)
        if changed is None:
            self._held = {unit for unit, each in self._by_unit.items() if each.problem}
        return files, affected

    def files(self) -> dict[str, str]:
        """Return the blob ids of all files, by path."""
        return {path: blob for rendering in self._by_unit.values() for path, blob in rendering.files.items()}

    def difference(self, tree: Tree, standing: Mapping[str, str], fresh: Files) -> Files:
        """Return what to write and remove for a branch with the files `standing` (blob ids by path) to hold these.

        `fresh` are bytes that `advance` has just returned; what else is needed is rendered again.
        """
        wanted = self.files()
        held = {folder_of(unit) for unit in self._held}
        gone = (path for path in standing if path not in wanted and _folder(path) not in held)
        new = {path for path, blob in wanted.items() if standing.get(path) != blob}
        return {**dict.fromkeys(gone), **self._bodies(tree, new, fresh)}

    def is_empty(self, folder: str) -> bool:
        """Say whether nothing of a folder is left."""
        return not self._living[folder] and all(folder_of(unit) != folder for unit in self._held)

    @property
    def is_partial(self) -> bool:
        """Whether the files of some unit are not known, so that only the branch tells what is there."""
        return bool(self._held)

    def _bodies(self, tree: Tree, paths: Collection[str], fresh: Files) -> Files:
        missing = {path for path in paths if path not in fresh}
        owners = [unit for unit, each in self._by_unit.items() if missing and each.files.keys() & missing]
        # What a failed unit left is on the branch; where somebody took it away, it stays away until it renders.
        rendered = {
            path: body
            for unit in owners
            if not self._by_unit[unit].problem
            for path, body in _render(tree, unit).items()
        }
        known = fresh | rendered
        return {path: known[path] for path in paths if path in known}

    def _affected(self, tree: Tree, changed: Iterable[str] | None) -> list[Unit]:
        if changed is None:
            return sorted({*self._by_unit, *units(tree, self._cluster)})
        found: set[Unit] = set()
        for path in changed:
            found.update(self._followers.get(path, ()), units_of(tree, self._cluster, path))
        return sorted(found)

    def _replace(self, tree: Tree, unit: Unit) -> Files:
        """Render one unit, or drop it, and return what of its files changes."""
        before = self._by_unit.get(unit)
        if not is_there(tree, unit):
            return self._keep(unit, None, {})
        blobs = {path: each.blob if (each := tree.get(path)) else "" for path in sources(tree, unit)}
        if before is not None and before.sources == blobs:
            return {}
        try:
            bodies = _render(tree, unit)
        except Exception as error:  # noqa: BLE001 - one unit's render never stops the others
            failed = Rendering(blobs, before.files if before else {}, f"{type(error).__name__}: {error}")
            return self._keep(unit, failed, {})
        return self._keep(unit, Rendering(blobs, {path: blob_id(body) for path, body in bodies.items()}), bodies)

    def _keep(self, unit: Unit, rendering: Rendering | None, bodies: Mapping[str, bytes]) -> Files:
        """Put a unit's new rendering, or none, in the place of its last, and return what of its files changes."""
        before = self._by_unit.pop(unit, None)
        for path in before.sources if before else ():
            self._followers[path].discard(unit)
        for path in rendering.sources if rendering else ():
            self._followers[path].add(unit)
        if rendering is not None:
            self._by_unit[unit] = rendering
        if rendering is None or not rendering.problem:
            self._held.discard(unit)
        old, new = (each.files if each else {} for each in (before, rendering))
        self._living[folder_of(unit)] += len(new) - len(old)
        gone = (path for path in old if path not in new)
        return {**dict.fromkeys(gone), **{path: body for path, body in bodies.items() if old.get(path) != new[path]}}


def _render(tree: Tree, unit: Unit) -> dict[str, bytes]:
    return {path: to_yaml(manifest) for path, manifest in render_unit(tree, unit).items()}


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


@dataclass(frozen=True)
class Source:
    """The commit of main that was rendered."""

    id: str
    author: str
    """`Name <email>`."""
    at: datetime
    subject: str
    repository: str = ""
    """Where it can be fetched from, if known."""

    def metadata(self) -> bytes:
        """Return the metadata of a folder rendered from it."""
        body = {
            "repoURL": self.repository,
            "drySha": self.id,
            "author": self.author,
            "date": self.at.isoformat(),
            "subject": self.subject,
        }
        return (json.dumps({name: text for name, text in body.items() if text}, indent=2) + "\n").encode()


def metadata_files(changes: Iterable[str], renderings: Renderings, source: Source) -> Files:
    """Return the metadata file of each folder that changed; a folder that is left empty loses it."""
    content = source.metadata()
    folders: Iterator[str] = (_folder(path) for path in changes)
    return {f"{each}/{METADATA}": None if renderings.is_empty(each) else content for each in dict.fromkeys(folders)}


def rendered_condition(blob: str, rollout: str, rendering: Rendering) -> Condition:
    """Return Rendered for a deployment's blob; its message names the rollout, so that each step shows."""
    if rendering.problem:
        return _rendered("RenderFailed", rendering.problem, blob, status=False)
    if not rendering.files:
        return _rendered("NoRollout", "nothing is served before the first Rollout", blob, status=False)
    return _rendered("Rendered", f"rollout {rollout[:12]}", blob, status=True)


def _rendered(reason: str, message: str, blob: str, *, status: bool) -> Condition:
    return Condition("Rendered", status=status, reason=reason, message=message, observed_blob=blob)
