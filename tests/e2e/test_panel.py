"""The panel on a running platform: what a browser is shown, through the edge, while things happen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from tests.e2e.harness import BASE_DOMAIN, RunningPlatform, Tenant, until
from tests.fixtures.html_pages import HtmlPage, words

pytestmark = [pytest.mark.parts, pytest.mark.triton]

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
RUN, DEPLOYMENT = "on-the-page", "on-the-page"


def shown(tenant: Tenant, path: str = "/", status: int = httpx.codes.OK) -> HtmlPage:
    answer = tenant.request("GET", path, **BROWSER)
    assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text}"
    assert answer.headers["content-type"].startswith("text/html")
    return HtmlPage.read(answer.text)


@pytest.fixture(scope="module")
def asked(acme: Tenant) -> dict[str, Any]:
    return acme.start_run("scales@1.0.0", RUN, model="paged", factor=2)


@pytest.fixture(scope="module")
def served(acme: Tenant, asked: dict[str, Any]) -> dict[str, Any]:
    acme.deploy(DEPLOYMENT, "v1", acme.succeeded(RUN)["model"])
    return acme.settled(DEPLOYMENT, "v1")


def test_a_run_is_on_the_page_with_its_tasks_and_a_page_of_its_own(acme: Tenant, asked: dict[str, Any]) -> None:
    acme.succeeded(RUN)
    article = words(shown(acme).one("article", id=f"run-{RUN}"))
    assert article.startswith(f"{RUN} succeeded scales@1.0.0")
    assert "registered paged@1" in article
    own = shown(acme, f"/runs/{RUN}")
    assert own.one("h1").text.strip() == RUN
    assert f"/commits/{asked['commit']}" in own.links
    logs = [link for link in own.links if "/logs?task=" in link]
    assert logs
    assert all(acme.request("GET", link).status_code == httpx.codes.OK for link in logs)


def test_a_deployment_shows_its_traffic_and_the_way_it_took(
    acme: Tenant, asked: dict[str, Any], served: dict[str, Any]
) -> None:
    page = shown(acme)
    article = words(page.one("article", id=f"deployment-{DEPLOYMENT}"))
    assert article.startswith(f"{DEPLOYMENT} ready asked: v1 (paged@1)")
    assert "v1 100 % paged@1" in article
    way = next(words(each) for each in page.all("ol") if RUN in each.text)
    stations = ("run asked", RUN, "paged@1", "deployment", "rollout", "rendered", "ready")
    places = [way.find(station) for station in stations]
    assert -1 not in places, way
    assert places == sorted(places), way
    assert asked["commit"][:10] in way


def test_every_commit_of_the_way_can_be_read(acme: Tenant, globex: Tenant, served: dict[str, Any]) -> None:
    commits = {link for link in shown(acme).links if "/commits/" in link}
    assert len(commits) >= 4
    for link in commits:
        assert shown(acme, link).one("h1").text
    theirs = [link for link in commits if globex.request("GET", link, **BROWSER).status_code == httpx.codes.NOT_FOUND]
    run_commit = f"/commits/{acme.run(RUN)['commit']}"
    assert run_commit in theirs


def test_parts_are_shown_with_their_health(acme: Tenant, globex: Tenant, served: dict[str, Any]) -> None:
    def parts_of(tenant: Tenant) -> str:
        return words(shown(tenant).one("section", id="parts"))

    for part in ("postgres", "nats", "s3", "envoy", "api", "writer", "reconciler"):
        assert f"{part} ready" in parts_of(acme)
    # A look at the platform is kept for a few seconds, so the server may appear a moment later.
    until(lambda: f"fraud.{DEPLOYMENT}-v1" in parts_of(acme), "the model server to be shown")
    assert DEPLOYMENT not in parts_of(globex)


def test_a_page_hears_of_what_happens_and_its_fragment_shows_it(acme: Tenant) -> None:
    page = shown(acme)
    live = page.one("div", id="live").attributes
    with acme.client() as client, client.stream("GET", live["data-events"]) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        messages = _messages(stream)
        acme.start_run("hello@1.0.0", "heard")
        heard = next(message for message in messages if message["subject"] == "heard")
    assert heard["type"] == "dev.ordain.run.committed"
    acme.succeeded("heard")
    fragment = acme.request("GET", live["data-fragment"], **BROWSER)
    assert "run-heard" in HtmlPage.read(f"<body>{fragment.text}</body>").ids


def _messages(stream: httpx.Response) -> Iterator[dict[str, Any]]:
    """Yield events as a browser's EventSource hands them to `onmessage`: those without a name."""
    for block in _blocks(stream):
        fields = dict(line.split(": ", 1) for line in block if not line.startswith(":"))
        if "data" in fields and "event" not in fields:
            yield json.loads(fields["data"])


def _blocks(stream: httpx.Response) -> Iterator[list[str]]:
    block: list[str] = []
    for line in stream.iter_lines():
        if line:
            block.append(line)
        else:
            yield block
            block = []


def test_the_bare_host_leads_to_each_tenant_both_ways(
    platform: RunningPlatform, acme: Tenant, asked: dict[str, Any]
) -> None:
    bare = f"{BASE_DOMAIN}:{platform.settings.edge_port}"
    with acme.client(host=bare, **BROWSER) as client:
        page = HtmlPage.read(client.get("/").text)
        assert f"http://{acme.host}:{platform.settings.edge_port}/" in page.links
        by_path = HtmlPage.read(client.get("/t/acme/").text)
        assert RUN in by_path.text
        assert all(urljoin("/t/acme/", link).startswith("/t/acme/") for link in by_path.links)
        for link in [each for each in by_path.links if "/runs/" in each and "/api/" not in each][:3]:
            assert client.get(link).status_code == httpx.codes.OK


def test_what_is_not_there_is_a_page_for_people(acme: Tenant, globex: Tenant, asked: dict[str, Any]) -> None:
    assert shown(globex, f"/runs/{RUN}", httpx.codes.NOT_FOUND).one("h1").text == "Not Found"
    assert RUN not in shown(globex).text
    answer = acme.request("GET", "/runs/nowhere", accept="application/json")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_browser_may_write_from_the_tenants_own_page_and_from_no_other(
    platform: RunningPlatform, acme: Tenant
) -> None:
    host = f"{acme.host}:{platform.settings.edge_port}"
    body = {"template_id": "no-such-template"}
    for origin, status in ((f"http://{host}", 422), ("http://elsewhere.example", 403)):
        with acme.client(host=host, origin=origin) as client:
            assert client.post("/api/v1/runs", json=body).status_code == status
