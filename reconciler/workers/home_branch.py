"""Main on a forge that is its home, and main here: what moves where, step by step. All of it blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from intents.documents import of_spec
from intents.kinds import PlatformSpec
from intents.problems import InvalidIntent
from intents.reading import read
from intents.tree import PLATFORM_PATH
from reconciler.planning.remote import Attempt, Follow, Push, Rest, Sight, Stop, Wait, home_step
from reconciler.ports.errors import Stalled, Waiting
from reconciler.ports.remote import Pushed, RefUpdate, Remote
from reconciler.ports.repository import MAIN, Repository
from reconciler.workers.remote_branch import RemoteBranch, place_of

CRASH_POINTS = ("before-push", "after-push")


@dataclass(frozen=True)
class HomeBranch:
    """Main here only ever moves to what the forge is known to have.

    Where it was last known to be there is kept in a ref of the repository here, so that a main that was put back is
    told from one that has not come yet. A forge is home from the moment on at which it has all of main: until then,
    after `home` was changed in platform.yaml, main stays here and goes there as soon as that is possible.

    Raises Waiting where the forge cannot be reached or does not say what became of a push, Stalled where a person
    must act.
    """

    repository: Repository
    remote: Remote
    reached: Callable[[str], None] = lambda _: None
    """Called at each of CRASH_POINTS; crash tests end the process there."""

    @property
    def is_established(self) -> bool:
        """Whether the forge is home by now."""
        return self._known() is not None

    def settle(self, pushed: Pushed | None = None) -> None:
        """Look, and do what there is to do, until main is the same here and there; `pushed` is what went before."""
        attempt, said = (pushed.attempt, pushed.said) if pushed else (Attempt.NONE, "")
        sight = RemoteBranch(self.repository, self.remote, MAIN).look(self._known(), fetch=True)
        match home_step(sight, attempt, said):
            case Rest():
                self._know(sight.there)
            case Follow(commit):
                self._expect_our_platform(sight)
                self._follow(sight.here, commit)
            case Push(expected, commit):
                self._push(expected, commit)
            case Wait(reason):
                raise Waiting(reason)
            case Stop(reason):
                raise Stalled(reason)

    def land(self, base: str, new: str, along: Sequence[RefUpdate] = ()) -> None:
        """Put `new`, which descends from `base`, on main there and then here; or follow what others made of it.

        Where `along` can be moved together with main, it is: a forge then sees that pull requests from those branches
        are merged. It is not what matters: where one is not as it should be, main goes alone.
        """
        if not self.is_established:
            self.repository.move(MAIN, base, new)
            return
        self.reached("before-push")
        main = RefUpdate(MAIN, base, new)
        pushed = self.remote.push([main, *along])
        if along and pushed.attempt is Attempt.REJECTED:
            pushed = self.remote.push([main])
        self.reached("after-push")
        if pushed.attempt is Attempt.ACCEPTED:
            self._follow(base, new)
        else:
            self.settle(pushed)

    def adopt(self, commit: str) -> None:
        """Take `commit` for what the forge is known to have: a person accepts that main was rewritten there."""
        if self.is_established:
            self._know(commit)

    def _push(self, expected: str | None, commit: str) -> None:
        """Put main there as it is here: it becomes, or goes on as, home."""
        pushed = self.remote.push([RefUpdate(MAIN, expected, commit)])
        if pushed.attempt is Attempt.ACCEPTED:
            self._know(commit)
        else:
            self.settle(pushed)

    def _follow(self, here: str | None, commit: str) -> None:
        """Move main here, then know it: after a crash in between, the next look follows to the same."""
        self.repository.move(MAIN, here, commit)
        self._know(commit)

    def _expect_our_platform(self, sight: Sight) -> None:
        """Raise Stalled where main on the forge has no platform.yaml to go on with, or another platform's."""
        theirs = _platform_of(self.repository, sight.there or "")
        ours = None if sight.here is None else _platform_of(self.repository, sight.here)
        if ours is not None and ours.repository.uid != theirs.repository.uid:
            raise Stalled(
                f"{PLATFORM_PATH} at {sight.there} has the repository uid {theirs.repository.uid}, ours has "
                f"{ours.repository.uid}: it is another platform's, or the uid was changed; put it back"
            )

    @property
    def _known_ref(self) -> str:
        return f"refs/ordain/home/{place_of(self.remote.address)}"

    def _known(self) -> str | None:
        return self.repository.head(self._known_ref)

    def _know(self, commit: str | None) -> None:
        known = self._known()
        if commit is not None and commit != known:
            self.repository.move(self._known_ref, known, commit)


def _platform_of(repository: Repository, commit: str) -> PlatformSpec:
    body = repository.read(commit, PLATFORM_PATH)
    try:
        document = None if body is None else of_spec(read(PLATFORM_PATH, body), PlatformSpec)
    except InvalidIntent as invalid:
        raise Stalled(f"{PLATFORM_PATH} at {commit} cannot be read: {invalid}; correct it there") from invalid
    if document is None:
        raise Stalled(f"there is no {PLATFORM_PATH} at {commit}; put it back there")
    return document.spec
