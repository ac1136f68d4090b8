"""What others put on the forge's main is checked, and told there."""

from __future__ import annotations

from pathlib import Path

import pytest

from intents.kinds import platform as kinds
from reconciler.planning.forge import Check, Verdict
from reconciler.ports.errors import Waiting
from reconciler.ports.forge import Forge
from reconciler.stores.git.repository import GitRepository
from reconciler.workers.main_check import CHECK, MainCheck
from reconciler.workers.tree_at_head import TreeAtHead
from tests.fixtures.trees import ACME, RUN
from tests.fixtures.trees import PLATFORM as PLATFORM_PATH
from tests.support.repositories import commit, intent, seeded_repository, start_specs

pytestmark = pytest.mark.anyio

FORGE = {"provider": "gitea", "url": "https://git.example/acme/intents"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Told:
    """The one call of a forge that is made here."""

    def __init__(self) -> None:
        self.checks: list[tuple[str, Check]] = []
        self.away = False

    def at(self, where: kinds.Forge) -> Forge:
        assert where.url == FORGE["url"]
        return self  # type: ignore[return-value]

    async def set_check(self, commit: str, check: Check) -> None:
        if self.away:
            raise Waiting("the forge is away")
        self.checks.append((commit, check))


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    made = seeded_repository(tmp_path / "state.git")
    spec = start_specs()[PLATFORM_PATH]
    moved = {**spec, "repository": {**spec["repository"], "home": "forge", "forge": FORGE}}
    commit(made, {PLATFORM_PATH: intent(PLATFORM_PATH, moved)})
    return made


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def check(repository: GitRepository, told: Told) -> MainCheck:
    return MainCheck(repository, TreeAtHead(repository), told.at)


async def test_what_is_right_is_told_so(repository: GitRepository, check: MainCheck, told: Told) -> None:
    await check.turn()
    assert told.checks == [], "what was there before is not looked at"
    made = commit(repository, {"README.md": b"# Intents", ACME: intent(ACME, start_specs()[ACME])})
    await check.turn()
    await check.turn()
    assert told.checks == [(made, Check(CHECK, Verdict.SUCCESS, "every check passed"))]


async def test_what_is_wrong_is_told_where_and_why(repository: GitRepository, check: MainCheck, told: Told) -> None:
    await check.turn()
    commit(repository, {"tenants/acme/projects/fraud/deployments/x.yaml": b"kind: ["})
    made = commit(
        repository, {RUN: intent(RUN, {"template": "unknown@1.0.0", "parameters": {}}), "tenants/x.txt": b"1"}
    )
    await check.turn()
    ((where, found),) = told.checks
    assert (where, found.verdict) == (made, Verdict.FAILURE)
    assert "deployments/x.yaml" in found.summary
    assert "(and " in found.summary


async def test_the_platform_s_own_commits_are_not_checked_again(
    repository: GitRepository, check: MainCheck, told: Told
) -> None:
    await check.turn()
    request = "Run\n\nOrdain-Request: 6f1c1c6e-0000-4000-8000-000000000001"
    commit(repository, {RUN: intent(RUN, {"template": "unknown@1.0.0", "parameters": {}})}, request)
    await check.turn()
    assert told.checks == []


async def test_a_forge_that_is_away_is_told_later(repository: GitRepository, check: MainCheck, told: Told) -> None:
    await check.turn()
    made = commit(repository, {"notes/a.md": b"1"})
    told.away = True
    for _ in range(2):
        with pytest.raises(Waiting):
            await check.turn()
    told.away = False
    await check.turn()
    assert [where for where, _ in told.checks] == [made]


async def test_without_a_forge_nothing_is_told(tmp_path: Path, told: Told) -> None:
    repository = seeded_repository(tmp_path / "local.git")
    check = MainCheck(repository, TreeAtHead(repository), told.at)
    await check.turn()
    commit(repository, {"notes/a.md": b"1"})
    await check.turn()
    assert told.checks == []
