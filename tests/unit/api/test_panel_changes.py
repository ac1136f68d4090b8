"""Pages of changes that wait for approval."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.approvals import APPROVER, BLUE, DEPLOY_SPEC, SECOND_SPEC, approved_specs
from tests.fixtures.html_pages import HtmlPage
from tests.fixtures.trees import DEPLOYMENT, GLOBEX, RUN, TRAIN
from tests.fixtures.write_world import WriteWorld, write_world
from tests.support.repositories import DEVELOPER, STRANGER, intent

pytestmark = pytest.mark.anyio

ANN = APPROVER.user
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[WriteWorld]:
    specs = {path: spec for path, spec in approved_specs().items() if path not in {RUN, TRAIN, GLOBEX}}
    made = write_world(tmp_path, specs)
    async with made.writing():
        yield made


async def opened(world: WriteWorld, path: str = BLUE, subject: str = "Deploy blue") -> str:
    spec = SECOND_SPEC if path == DEPLOYMENT else DEPLOY_SPEC
    body = {"subject": subject, "writes": [{"path": path, "content": intent(path, spec).decode()}]}
    return str((await sent(world, "changes?wait=10", body))["change"])


async def sent(world: WriteWorld, path: str, body: dict[str, Any] | None = None, user: str = DEVELOPER) -> Any:
    async with world.client(user) as client:
        answer = await client.post(f"/api/v1/{path}", json=body or {})
    assert answer.is_success, answer.text
    return answer.json()


async def approved(world: WriteWorld, change: str) -> None:
    async with world.client() as client:
        digest = (await client.get(f"/api/v1/changes/{change}")).json()["digest"]
    await sent(world, f"changes/{change}:approve", {"digest": digest}, ANN)


async def page(world: WriteWorld, path: str, status: int = 200, user: str = DEVELOPER, host: str = "acme") -> HtmlPage:
    async with world.client(user, f"{host}.ml.localhost", Accept="text/html") as client:
        answer = await client.get(path)
    assert answer.status_code == status, answer.text
    assert EVIL not in answer.text
    return HtmlPage.read(answer.text)


def words(element: Any) -> str:
    return " ".join(element.text.split())


async def test_the_project_shows_what_waits(world: WriteWorld) -> None:
    assert "Changes that wait" not in (await page(world, "/")).text
    change = await opened(world)
    shown = await page(world, "/")
    section = words(shown.one("section", id="open-changes"))
    assert section.startswith(
        "Changes that wait Deploy blue needs approval 0 of 1 approval, to be asked: group acme-leads"
    )
    assert f"by {DEVELOPER}" in section
    assert "intents: 1 added; no manifest; no problems" in section
    assert f"/changes/{change}" in shown.links
    await approved(world, change)
    section = words((await page(world, "/")).one("section", id="open-changes"))
    assert "Deploy blue approved 1 of 1 approval · by" in section
    await sent(world, f"changes/{change}:merge?wait=10")
    assert "Changes that wait" not in (await page(world, "/")).text


async def test_a_page_shows_plan_files_and_words(world: WriteWorld) -> None:
    change = await opened(world, DEPLOYMENT, f"Move {EVIL}")
    await approved(world, change)
    shown = await page(world, f"/changes/{change}")
    assert shown.one("h1").text == f"Move {EVIL}"
    assert words(shown.one("section", id="summary")).startswith(f"Change {change} approved Author {DEVELOPER}")
    assert f"Who said yes Person When Counts {ANN}" in words(shown.one("section", id="summary"))
    assert "acme/fraud/scoring" in words(shown.one("section", id="plan"))
    assert "+ model: fraud@2" in words(shown.one("section", id="files"))
    assert len(shown.all("h1")) == len(shown.all("main")) == 1
    labels = [each.attributes["aria-labelledby"] for each in shown.all("section")]
    assert set(labels) <= shown.ids


async def test_a_page_says_what_is_next(world: WriteWorld) -> None:
    change = await opened(world)
    shown = await page(world, f"/changes/{change}")
    assert re.search(rf"ordain change approve {change} --plan [0-9a-f]{{12}} --tenant acme", shown.text)
    await approved(world, change)
    shown = await page(world, f"/changes/{change}")
    assert f"ordain change merge {change} --tenant acme" in shown.text
    assert "ordain change approve" not in shown.text


async def test_a_plan_does_not_tell_by_colour_alone(world: WriteWorld) -> None:
    change = await opened(world)
    plan = (await page(world, f"/changes/{change}")).one("section", id="plan")
    assert f"+ {BLUE} (ModelDeployment)" in words(plan)


async def test_what_ended_stays_readable(world: WriteWorld) -> None:
    change = await opened(world)
    await approved(world, change)
    await sent(world, f"changes/{change}:close?wait=10", user=ANN)
    shown = await page(world, f"/changes/{change}")
    assert f"Who said yes Person When {ANN}" in words(shown.one("section", id="summary"))
    assert f"Change {change} closed" in words(shown.one("section", id="summary"))
    assert f"Closed by {ANN}" in words(shown.one("section", id="summary"))
    assert "What it asked" in shown.text
    assert not [each for each in shown.all("section") if each.attributes["id"] == "plan"]


async def test_the_commit_names_the_change_it_merged(world: WriteWorld) -> None:
    change = await opened(world)
    await approved(world, change)
    commit = (await sent(world, f"changes/{change}:merge?wait=10"))["commit"]
    shown = await page(world, f"/commits/{commit}")
    assert f"Merges change {change}, approved by {ANN}" in words(shown.one("section", id="summary"))
    assert f"/changes/{change}" in shown.links


async def test_only_so_many_are_shown(world: WriteWorld) -> None:
    for number in range(6):
        await opened(world, BLUE.replace("blue", f"blue-{number}"), f"Deploy {number}")
    section = (await page(world, "/")).one("section", id="open-changes")
    assert words(section).count("needs approval") == 5
    assert "There are more" in section.text


async def test_others_see_nothing(world: WriteWorld) -> None:
    change = await opened(world)
    await page(world, f"/changes/{change}", 404, STRANGER, "globex")
    await page(world, f"/changes/{change}", 403, STRANGER)
    await page(world, "/changes/unknown", 422)
