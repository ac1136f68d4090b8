from __future__ import annotations

import copy
import re
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import anyio
import httpx
import pytest

from tests.fixtures.html_pages import HtmlPage, words
from tests.fixtures.panel_world import EVIL, RUN, STATUS, Line, World, seeded, with_line

ACME, GLOBEX, BARE = "acme.ml.localhost", "globex.ml.localhost", "ml.localhost"
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = seeded(tmp_path)
    made.status = copy.deepcopy(STATUS)
    return made


@pytest.fixture(scope="module")
def lined(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Line]:
    """A world with a whole line in it, for tests that only read."""
    made = seeded(tmp_path_factory.mktemp("lined"))
    made.status = STATUS
    return made, with_line(made)


async def page(world: World, host: str, path: str, status: int = 200) -> HtmlPage:
    async with world.browser(host) as browser:
        answer = await browser.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    return HtmlPage.read(answer.text)


async def test_a_tenant_sees_its_whole_line(lined: tuple[World, Line]) -> None:
    world, _ = lined
    shown = await page(world, ACME, "/")
    assert "Acme & Sons" in shown.text
    deployment = words(shown.one("article", id="deployment-fraud"))
    assert deployment.startswith("fraud moving held asked: v2 (fraud@2) · last good: v1")
    assert "v1 100 % fraud@1" in deployment
    assert "v2 0 % fraud@2" in deployment
    assert "starting loading the model" in deployment
    assert f"On hold by ana@acme.example: errors {EVIL}" in deployment
    run = words(shown.one("article", id=f"run-{RUN}"))
    assert run.startswith(f"{RUN} succeeded train-classifier@1.0.0 · 13 s")
    assert "evaluate succeeded 3.0 s accuracy 0.958 auc 0.9921 rows 143 log" in run
    assert "1 90 kB" in re.sub(r"\b[0-9a-f]{10} ", "", words(shown.one("table", id="model-fraud")))
    assert "postgres ready 39 MB" in words(shown.one("section", id="parts"))


async def test_traffic_is_drawn_as_it_is_split(lined: tuple[World, Line]) -> None:
    world, _ = lined
    shown = await page(world, ACME, "/")
    assert [(bar.attributes["x"], bar.attributes["width"]) for bar in shown.all("rect")] == [("0", "100"), ("100", "0")]


async def test_the_way_from_commit_to_traffic_links_each_station(lined: tuple[World, Line]) -> None:
    world, line = lined
    shown = await page(world, ACME, "/")
    trail = shown.one("ol", **{"class": "trail"})
    assert words(trail) == (
        f"run asked {line.run_commit[:10]} run {RUN} model fraud@1 deployment {line.deployment_commit[:10]} 12:00:20"
        f" rendered {line.rendered_commit[:10]} 12:00:20 ready 12:00:23"
    )
    expected = {f"/runs/{RUN}", "/#model-fraud-1", "/#deployment-fraud"} | {
        f"/commits/{each}" for each in (line.run_commit, line.deployment_commit, line.rendered_commit)
    }
    assert expected <= set(shown.links)


async def test_a_condition_of_an_older_document_is_stale(lined: tuple[World, Line]) -> None:
    world, line = lined
    shown = await page(world, ACME, "/")
    conditions = [words(each) for each in shown.all("li") if "Rendered" in each.text]
    assert conditions == [f"Rendered Rendered stale: seen for an older document rollout {line.rollout_blob[:12]}"]


async def test_everything_that_came_from_people_is_escaped(lined: tuple[World, Line]) -> None:
    world, _ = lined
    async with world.browser(ACME) as browser:
        for path in ("/", "/?fragment=live", f"/runs/{RUN}"):
            text = (await browser.get(path)).text
            assert EVIL not in text
            assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


async def test_pages_carry_a_strict_policy_and_nothing_it_forbids(lined: tuple[World, Line]) -> None:
    world, line = lined
    async with world.browser(ACME) as browser:
        for path in ("/", f"/runs/{RUN}", f"/commits/{line.run_commit}", "/runs/unknown"):
            answer = await browser.get(path)
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'")
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            elements = HtmlPage.read(answer.text).elements
            assert not [each for each in elements if any(name.startswith(("on", "style")) for name in each.attributes)]
            assert all(each.attributes.get("src") for each in elements if each.tag == "script")
            assert not [each for each in elements if each.tag in {"style", "form", "iframe"}]


async def test_pages_can_be_read_without_seeing_them(lined: tuple[World, Line]) -> None:
    world, line = lined
    for path in ("/", f"/runs/{RUN}", f"/commits/{line.run_commit}", "/runs/unknown"):
        shown = await page(world, ACME, path, 404 if "unknown" in path else 200)
        assert shown.one("html").attributes["lang"] == "en"
        assert len(shown.all("main")) == len(shown.all("header")) == len(shown.all("h1")) == 1
        assert len(shown.all("caption")) == len(shown.all("table"))
        labels = [each.attributes["aria-labelledby"] for each in shown.all("section")]
        assert set(labels) <= shown.ids
        assert all(cell.attributes.get("scope") for cell in shown.all("th"))
    live = (await page(world, ACME, "/")).one("p", id="connection")
    assert live.attributes["aria-live"] == "polite"


async def test_the_live_fragment_is_the_same_part_of_the_page(lined: tuple[World, Line]) -> None:
    world, _ = lined
    async with world.browser(ACME) as browser:
        for path in ("/", f"/runs/{RUN}"):
            whole, part = (await browser.get(path)).text, (await browser.get(f"{path}?fragment=live")).text
            assert part.strip().startswith('<div class="columns')
            assert part.strip() in whole
    shown = await page(world, ACME, "/")
    assert shown.one("div", id="live").attributes["data-events"] == "/api/v1/events"
    assert shown.one("div", id="live").attributes["data-fragment"] == "/?fragment=live"


async def test_a_page_says_whether_something_moves(lined: tuple[World, Line]) -> None:
    world, _ = lined
    sections = (await page(world, ACME, "/")).one("div", id="sections")
    assert "data-busy" in sections.attributes
    idle = (await page(world, ACME, "/?project=other")).one("div", id="sections")
    assert "data-busy" not in idle.attributes


@pytest.mark.parametrize(("host", "prefix"), [(ACME, ""), (BARE, "/t/acme")])
async def test_every_link_leads_somewhere_and_keeps_the_tenant(
    lined: tuple[World, Line], host: str, prefix: str
) -> None:
    world, _ = lined
    seen: dict[str, HtmlPage] = {}
    async with world.browser(host) as browser:
        await crawl(browser, f"http://{host}:8080{prefix}/", seen)
    assert len(seen) >= 6
    for address, shown in seen.items():
        for link in shown.links:
            target = urlsplit(urljoin(address, link))
            assert target.path.startswith(prefix) or link == "#content", link
            there = seen.get(target._replace(fragment="").geturl())
            if target.fragment and there:
                assert target.fragment in there.ids, link


async def crawl(browser: httpx.AsyncClient, address: str, seen: dict[str, HtmlPage]) -> None:
    """Follow every link of a page that leads to a page."""
    answer = await browser.get(address)
    assert answer.status_code == 200, f"{address}: {answer.text}"
    seen[address] = HtmlPage.read(answer.text)
    for link in seen[address].links:
        target = urljoin(address, link).partition("#")[0]
        if target not in seen and "/api/" not in target:
            await crawl(browser, target, seen)


async def test_another_project_is_shown_by_name_and_kept_in_links(lined: tuple[World, Line]) -> None:
    world, _ = lined
    shown = await page(world, ACME, "/?project=other")
    assert RUN not in shown.text
    assert "Nothing is deployed" in shown.text
    assert shown.one("a", **{"aria-current": "page"}).text == "other"
    assert shown.one("div", id="live").attributes["data-events"] == "/api/v1/events?project=other"
    await page(world, ACME, "/?project=nowhere", 404)


async def test_the_bare_host_lists_tenants_and_nothing_of_them(lined: tuple[World, Line]) -> None:
    world, _ = lined
    shown = await page(world, BARE, "/")
    assert [link for link in shown.links if link != "#content"] == [
        "/t/acme/",
        "http://acme.ml.localhost:8080/",
        "/t/globex/",
        "http://globex.ml.localhost:8080/",
    ]
    assert "fraud" not in shown.text


async def test_what_is_anothers_is_not_there(lined: tuple[World, Line]) -> None:
    world, line = lined
    shown = await page(world, GLOBEX, "/")
    assert not {RUN, "fraud", line.run_commit[:10]} & set(re.findall(r"[\w-]+", shown.text))
    for path in (f"/runs/{RUN}", f"/commits/{line.run_commit}", f"/commits/{line.model_commit}"):
        missing = await page(world, GLOBEX, path, 404)
        assert missing.one("h1").text == "Not Found"


async def test_model_servers_of_others_are_not_shown(world: World) -> None:
    acme, globex = [(await page(world, host, "/")).one("section", id="parts").text for host in (ACME, GLOBEX)]
    assert "fraud.fraud-v1" in acme
    assert "churn" not in acme
    assert "churn.churn-v1" in globex
    assert "fraud" not in globex


@pytest.mark.parametrize("status", [{}, {"parts": [{}]}, {"parts": None, "served": None, "healthy": "yes"}])
async def test_the_page_stands_whatever_the_collector_says(world: World, status: dict[str, object]) -> None:
    world.status = status
    assert "Platform" in (await page(world, ACME, "/")).text


async def test_addresses_of_parts_are_nothing_to_tenants(world: World) -> None:
    world.status["parts"][1] |= {"reason": "ready at /srv/sockets"}
    world.status["parts"][2] |= {"health": "restarting", "reason": "exited with status 1", "restarts": 3}
    parts = words((await page(world, ACME, "/")).one("section", id="parts"))
    assert "/srv/sockets" not in parts
    assert "nats restarting exited with status 1 restarted 3\N{MULTIPLICATION SIGN}" in parts


async def test_a_run_page_shows_parameters_tasks_logs_and_outputs(lined: tuple[World, Line]) -> None:
    world, _ = lined
    shown = await page(world, ACME, f"/runs/{RUN}")
    assert words(shown.one("section", id="parameters")) == f"Parameters rounds 100 note {EVIL}"
    log = shown.one("details", id="log-train").text
    assert f"training loss 0.01\nred {EVIL}" in log
    assert f"/api/v1/runs/{RUN}/logs?task=train" in shown.links
    assert f"/api/v1/runs/{RUN}/artifacts/evaluate/predictions" in shown.links
    assert not [link for link in shown.links if link.endswith("/artifacts/train/model")]


async def test_a_run_has_a_page_as_soon_as_it_is_committed(world: World) -> None:
    path = "tenants/acme/projects/fraud/runs/2026-11-23/fresh.yaml"
    commit = world.commit("Run", {path: {"template": "train-classifier@1.0.0"}})
    shown = await page(world, ACME, "/runs/fresh")
    assert "created" in shown.one("h2", id="h-summary").text
    assert f"/commits/{commit}" in shown.links


async def test_a_commit_page_shows_the_changed_intents(lined: tuple[World, Line]) -> None:
    world, line = lined
    shown = await page(world, ACME, f"/commits/{line.deployment_commit}")
    assert shown.one("h1").text == "Deploy acme/fraud/fraud"
    assert "ModelDeployment fraud added" in shown.text
    assert "+ - name: v2" in shown.text
    assert "deployment committed" in words(shown.one("section", id="events"))


async def test_of_a_commit_that_touches_others_only_the_own_part_is_said(world: World) -> None:
    seed = world.repository.between(None, world.repository.head() or "")[0].id
    shown = await page(world, GLOBEX, f"/commits/{seed}")
    assert shown.one("h1").text == "Changed by the platform"
    assert [words(each).partition(" added")[0] for each in shown.all("h3")] == ["Project churn", "Tenant globex"]
    assert "Acme" not in shown.text
    assert "tenants/acme" not in shown.text


async def test_of_rendered_manifests_only_the_own_are_shown(lined: tuple[World, Line]) -> None:
    world, line = lined
    shown = await page(world, ACME, f"/commits/{line.rendered_commit}")
    assert shown.one("h1").text == "Manifests rendered"
    assert "+kind: InferenceService" in shown.text
    assert "globex" not in shown.text
    assert f"/commits/{line.deployment_commit}" in shown.links
    other = await page(world, GLOBEX, f"/commits/{line.rendered_commit}")
    assert f"/commits/{line.deployment_commit}" not in other.links


async def test_a_commit_of_others_that_an_event_names_is_not_named(lined: tuple[World, Line]) -> None:
    world, line = lined
    async with world.browser(ACME) as browser:
        assert line.others_commit not in (await browser.get("/")).text
        assert (await browser.get(f"/commits/{line.others_commit}")).status_code == 404


@pytest.mark.parametrize("commit", ["0" * 40, "main", "HEAD", "a" * 39])
async def test_what_is_no_commit_is_refused_as_a_page(world: World, commit: str) -> None:
    async with world.browser(ACME) as browser:
        answer = await browser.get(f"/commits/{commit}")
    assert answer.status_code in {404, 422}
    assert HtmlPage.read(answer.text).all("h1")


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [(ACME, "/nowhere", 404), (ACME, "/runs/none", 404), ("nobody.ml.localhost", "/", 404), (ACME, "/t/globex/", 400)],
)
async def test_refusals_are_pages_for_browsers_and_problems_for_programs(
    world: World, host: str, path: str, status: int
) -> None:
    await page(world, host, path, status)
    async with world.browser(host) as browser:
        answer = await browser.get(path, headers={"Accept": "*/*"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_api_answers_browsers_in_json(world: World) -> None:
    async with world.browser(ACME) as browser:
        answer = await browser.get("/api/v1/runs/none")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_who_is_no_member_sees_nothing(lined: tuple[World, Line]) -> None:
    world, line = lined
    async with world.browser(ACME, user="eve@evil.example") as browser:
        for path in ("/", f"/runs/{RUN}", f"/commits/{line.run_commit}"):
            answer = await browser.get(path)
            assert answer.status_code == 403
            assert RUN not in answer.text.replace(f"/runs/{RUN}", "")


@pytest.mark.parametrize("prefix", ["", "/t/acme"])
async def test_static_files_may_be_kept_for_ever(world: World, prefix: str) -> None:
    async with world.browser(BARE) as browser:
        shown = HtmlPage.read((await browser.get(f"{prefix}/")).text)
        addresses = [each.attributes["href"] for each in shown.all("link")]
        addresses += [each.attributes["src"] for each in shown.all("script")]
        for address in addresses:
            answer = await browser.get(address)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]
            assert "?v=" in address
        assert (await browser.get("/static/panel/../pages.py")).status_code == 404


async def test_the_platform_is_looked_at_once_for_many_pages(world: World) -> None:
    async with world.browser(ACME) as browser, anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(browser.get, "/")
    assert world.looks == 1
