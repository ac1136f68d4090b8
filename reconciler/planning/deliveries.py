"""What Argo CD is asked to look at: exactly what changed on the rendered branch and it does not know yet."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.planning.cluster_objects import Application

ASK_AGAIN = (timedelta(seconds=2), timedelta(seconds=30))
"""First and longest wait before asking again, doubled in between. A request may be lost: taken off by a controller that
ended before it looked, or made before the branch had reached the repository that Argo CD reads."""


@dataclass(frozen=True, order=True)
class Refresh:
    """Let an Application be compared with git."""

    application: str
    folder: str


@dataclass(frozen=True, order=True)
class Generate:
    """Let an ApplicationSet look for folders that came or went."""

    application_set: str
    folders: tuple[str, ...]


@dataclass(frozen=True, order=True)
class Abandon:
    """Let an Application that is to go give its sync up.

    It is not deleted before that has ended, and a sync of a folder that is gone never ends: it is tried again for ever.
    """

    application: str


Ask = Refresh | Generate | Abandon


def asks(
    cluster: str, folders: Collection[str], applications: Mapping[str, Application], stale: Collection[str]
) -> Iterator[Ask]:
    """Yield what Argo CD should look at.

    `folders` are those of the branch's head, `stale` those whose Application does not know what is in them now;
    `applications` are by folder.
    """
    for folder in sorted(applications.keys() & set(folders) & set(stale)):
        yield Refresh(applications[folder].name, folder)
    for folder in sorted(applications.keys() - set(folders)):
        if applications[folder].is_going and applications[folder].phase == "Running":
            yield Abandon(applications[folder].name)
    lost: dict[str, list[str]] = {}
    for folder in sorted(set(folders) ^ applications.keys()):
        lost.setdefault(application_set_of_folder(cluster, folder), []).append(folder)
    yield from (Generate(name, tuple(each)) for name, each in sorted(lost.items()))


def application_set_of_folder(cluster: str, folder: str) -> str:
    """Return the ApplicationSet that makes the Application of a folder."""
    return f"{cluster}-{'platform' if folder.startswith('platform/') else 'tenants'}"


class Asked:
    """What was asked for already, for which commit and when."""

    def __init__(self) -> None:
        """Begin with nothing asked."""
        self._asked: dict[Ask, _Request] = {}

    def due(self, wanted: Collection[Ask], head: str, now: datetime) -> list[Ask]:
        """Return what is to be asked now, and take it for asked; what nobody wants any more is forgotten."""
        self._asked = {ask: known for ask, known in self._asked.items() if ask in wanted}
        due = [ask for ask in wanted if self._is_due(ask, head, now)]
        for ask in due:
            known = self._asked.get(ask)
            times = known.times + 1 if known is not None and known.head == head else 1
            self._asked[ask] = _Request(head, now, times)
        return due

    def _is_due(self, ask: Ask, head: str, now: datetime) -> bool:
        known = self._asked.get(ask)
        return known is None or known.head != head or now - known.at >= known.patience


@dataclass(frozen=True)
class _Request:
    """One that was made, for the last time `at`, and how often for this head."""

    head: str
    at: datetime
    times: int

    @property
    def patience(self) -> timedelta:
        """How long it is waited for."""
        first, longest = ASK_AGAIN
        patience: timedelta = first * 2 ** min(self.times - 1, 10)
        return min(longest, patience)
