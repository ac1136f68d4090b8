"""The Edge port: what holds for every edge, then what Envoy does with requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from reconciler.drivers.fake_serving import FakeEdge
from reconciler.drivers.local.edge import EdgePerson, EnvoyEdge
from reconciler.planning.observations import Backend, EdgeConfig, EdgeRoute, EdgeTenant
from reconciler.ports.errors import Waiting
from reconciler.ports.serving import Edge
from reconciler.services.envoy import envoy
from reconciler.services.settings import Settings
from tests.fixtures.parts import running_part, settings_at
from tests.fixtures.upstreams import Upstream, upstream

PATIENCE_SECONDS = 30.0
ACME, GLOBEX, BASE = "acme.ml.localhost", "globex.ml.localhost", "ml.localhost"
PERSON = EdgePerson(user="ana", email="ana@acme.example", groups=("acme-ml", "admins"))
TENANTS = (
    EdgeTenant("acme", "fraud", (ACME, "acme-labs.ml.localhost")),
    EdgeTenant("globex", "risk", (GLOBEX,)),
)
SERVE = "/serve/fraud/score"
FORGED = {
    "X-Tenant-Id": "globex",
    "X-Project-Id": "other",
    "X-Forwarded-User": "root",
    "X-Forwarded-Email": "root@localhost",
    "X-Forwarded-Groups": "platform-admins",
}

HIDDEN = [
    ("/v2/repository/index", "POST"),
    ("/v2/repository/models/clf/load", "POST"),
    ("/v2/repository//index", "POST"),
    ("/v2/models/../repository/index", "POST"),
    ("/v2/models/clf/../../repository/index", "POST"),
    ("/v2/models/%2e%2e/repository/index", "POST"),
    ("/v2/models/clf/versions/1/infer", "POST"),
    ("/v2/models/clf/config", "GET"),
    ("/v2/models/clf/stats", "GET"),
    ("/v2/models/other/infer", "POST"),
    ("/v2/models/clf/infer", "GET"),
    ("/v2/models/clf/infer/", "POST"),
    ("/v2/logging", "POST"),
    ("/v2/trace/setting", "GET"),
    ("/v2/systemsharedmemory/status", "GET"),
    ("/v2/", "GET"),
    ("", "GET"),
]

pytestmark = [pytest.mark.anyio, pytest.mark.parts]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def config(*backends: Backend) -> EdgeConfig:
    route = EdgeRoute(ACME, "acme", "fraud", "score", "clf", backends, timeout_seconds=5)
    return EdgeConfig(BASE, TENANTS, (route,) if backends else ())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_at(tmp_path)


def edge_of(settings: Settings) -> EnvoyEdge:
    layout = settings.layout
    return EnvoyEdge(layout.envoy_rds, layout.envoy_cds, settings.envoy_admin_socket, settings.api_socket, PERSON)


@pytest.fixture(params=["fake", "envoy"])
async def edge(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[Edge]:
    if request.param == "fake":
        yield FakeEdge()
        return
    async with running_part(envoy(settings)):
        real = edge_of(settings)
        yield real
        await real.close()


@dataclass
class Site:
    """Envoy in front of an API and two model servers."""

    edge: EnvoyEdge
    settings: Settings
    client: httpx.AsyncClient
    api: Upstream
    blue: Upstream
    green: Upstream

    async def ask(self, host: str, path: str, method: str = "GET", **more: Any) -> httpx.Response:
        headers = {"Host": host, **more.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **more)

    async def raw(self, path: str, method: str) -> httpx.Response:
        """Send the path as it stands: a client would tidy it up."""
        target = {"target": path.encode()}
        return await self.client.send(self.client.build_request(method, "/", headers={"Host": ACME}, extensions=target))

    async def infer(self, **more: Any) -> httpx.Response:
        return await self.ask(ACME, f"{SERVE}/v2/models/clf/infer", "POST", content=b"{}", **more)

    def backends(self, blue: int, green: int) -> tuple[Backend, Backend]:
        return (
            Backend("acme--fraud.score-v1.aaa", self.blue.address, blue),
            Backend("acme--fraud.score-v2.bbb", self.green.address, green),
        )


@pytest.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(upstream("api", settings.api_socket))
        blue = await stack.enter_async_context(upstream("blue"))
        green = await stack.enter_async_context(upstream("green"))
        await stack.enter_async_context(running_part(envoy(settings)))
        base = f"http://127.0.0.1:{settings.edge_port}"
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=base, trust_env=False, timeout=10))
        edge = edge_of(settings)
        stack.push_async_callback(edge.close)
        yield Site(edge, settings, client, api, blue, green)


# Every edge


async def test_an_edge_knows_the_servers_it_routes_to(edge: Edge) -> None:
    one, other = Backend("a.v1.1", "127.0.0.1:1", 100), Backend("a.v2.2", "127.0.0.1:2", 0)
    await edge.publish(config(one, other))
    assert await edge.active_requests() == {"a.v1.1": 0, "a.v2.2": 0}
    await edge.publish(config(one))
    assert await edge.active_requests() == {"a.v1.1": 0}
    await edge.publish(config())
    assert await edge.active_requests() == {}


async def test_publishing_may_be_repeated(edge: Edge) -> None:
    wanted = config(Backend("a.v1.1", "127.0.0.1:1", 100))
    await edge.publish(wanted)
    await edge.publish(wanted)
    assert await edge.active_requests() == {"a.v1.1": 0}


# Envoy


async def test_requests_of_tenants_reach_the_api_with_the_person_set(site: Site) -> None:
    await site.edge.publish(config())
    said = (await site.ask(ACME, "/api/v1/runs?page=2")).json()
    assert (said["name"], said["path"]) == ("api", "/api/v1/runs?page=2")
    assert {name: said["headers"].get(name) for name in map(str.lower, FORGED)} == {
        "x-tenant-id": "acme",
        "x-project-id": None,
        "x-forwarded-user": "ana",
        "x-forwarded-email": "ana@acme.example",
        "x-forwarded-groups": "acme-ml,admins",
    }
    assert (await site.ask("acme-labs.ml.localhost", "/")).json()["headers"]["x-tenant-id"] == "acme"
    assert (await site.ask(f"{GLOBEX}:8080", "/")).json()["headers"]["x-tenant-id"] == "globex"


@pytest.mark.parametrize("path", ["/api/v1/runs", f"{SERVE}/v2"])
async def test_who_asks_is_never_the_clients_word(site: Site, path: str) -> None:
    await site.edge.publish(config(*site.backends(100, 0)))
    doubled = [(name, value) for name, value in FORGED.items() for _ in range(2)]
    honest = (await site.ask(ACME, path)).json()["headers"]
    answer = await site.client.get(path, headers=[("Host", ACME), *doubled])
    forged = answer.json()["headers"]
    names = [name.lower() for name in FORGED]
    assert [forged.get(name) for name in names] == [honest.get(name) for name in names]


async def test_model_servers_learn_tenant_and_project_but_no_credentials(site: Site) -> None:
    await site.edge.publish(config(*site.backends(100, 0)))
    # The last two would make Envoy itself give up early and repeat what was answered.
    envoys = {"X-Envoy-Upstream-Rq-Timeout-Ms": "1", "X-Envoy-Retry-On": "5xx"}
    secrets = envoys | {"Authorization": "Bearer x", "Cookie": "session=x", "X-Ordain-Secret": "x"}
    said = (await site.infer(headers=secrets)).json()
    assert (said["name"], said["method"], said["path"], said["body"]) == ("blue", "POST", "/v2/models/clf/infer", "{}")
    assert said["headers"]["x-tenant-id"] == "acme"
    assert said["headers"]["x-project-id"] == "fraud"
    hidden = {"authorization", "cookie", "x-ordain-secret", "x-forwarded-user", *map(str.lower, envoys)}
    assert not hidden & said["headers"].keys()


async def test_the_public_v2_paths_reach_the_model(site: Site) -> None:
    await site.edge.publish(config(*site.backends(0, 100)))
    public = [
        ("GET", "/v2"),
        ("GET", "/v2/health/live"),
        ("GET", "/v2/health/ready"),
        ("GET", "/v2/models/clf"),
        ("GET", "/v2/models/clf/ready"),
        ("POST", "/v2/models/clf/infer"),
    ]
    answers = [(await site.ask(ACME, SERVE + path, method)).json() for method, path in public]
    assert [(said["method"], said["path"]) for said in answers] == public
    assert {said["name"] for said in answers} == {"green"}


async def test_nothing_else_of_a_model_server_is_reached(site: Site) -> None:
    await site.edge.publish(config(*site.backends(100, 0)))
    for path, method in HIDDEN:
        answer = await site.raw(SERVE + path, method)
        assert answer.status_code == httpx.codes.NOT_FOUND, (path, method)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == httpx.codes.NOT_FOUND
    assert site.blue.requests == site.green.requests == site.api.requests == 0


async def test_escaped_slashes_are_refused(site: Site) -> None:
    await site.edge.publish(config(*site.backends(100, 0)))
    for path in ("/v2%2frepository/index", "/v2%5crepository/index"):
        assert (await site.raw(SERVE + path, "POST")).is_client_error
    assert site.blue.requests == site.green.requests == 0


async def test_a_deployment_is_served_on_its_own_tenants_host_only(site: Site) -> None:
    await site.edge.publish(config(*site.backends(100, 0)))
    for host in (GLOBEX, BASE):
        answer = await site.ask(host, f"{SERVE}/v2/models/clf/infer", "POST")
        assert answer.status_code == httpx.codes.NOT_FOUND
    assert site.blue.requests == site.api.requests == 0


async def test_the_bare_host_reaches_the_api_without_a_tenant(site: Site) -> None:
    await site.edge.publish(config())
    said = (await site.ask(BASE, "/t/acme/", headers=FORGED)).json()
    assert (said["name"], said["path"]) == ("api", "/t/acme/")
    assert "x-tenant-id" not in said["headers"]


async def test_unknown_hosts_are_answered_404(site: Site) -> None:
    await site.edge.publish(config())
    for host in ("evil.example", "nobody.ml.localhost", "localhost"):
        answer = await site.ask(host, "/")
        assert answer.status_code == httpx.codes.NOT_FOUND
        assert answer.headers["content-type"] == "application/problem+json"
    assert site.api.requests == 0
    assert (await site.ask("localhost", "/healthz")).json()["name"] == "api"


async def test_a_forge_on_this_machine_can_send_webhooks(site: Site) -> None:
    await site.edge.publish(config())
    said = (await site.ask("127.0.0.1", "/api/v1/webhooks/gitea", "POST")).json()
    assert (said["name"], said["path"]) == ("api", "/api/v1/webhooks/gitea")
    assert (await site.ask("127.0.0.1", "/api/v1/runs", "POST")).status_code == httpx.codes.NOT_FOUND


async def test_a_deployment_without_a_server_says_so(site: Site) -> None:
    await site.edge.publish(config(*site.backends(0, 0)))
    answer = await site.infer()
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert "fraud/score" in answer.json()["detail"]


async def test_weights_are_followed(site: Site) -> None:
    await site.edge.publish(config(*site.backends(80, 20)))
    answers = [(await site.infer()).json()["name"] for _ in range(300)]
    # 60 expected of 300; 25 and 105 are more than five standard deviations (6.9) away.
    assert 25 < answers.count("green") < 105


async def test_traffic_moves_without_a_failed_request(site: Site) -> None:
    await site.edge.publish(config(*site.backends(100, 0)))
    stop = asyncio.Event()
    statuses: list[int] = []

    async def customer() -> None:
        while not stop.is_set():
            statuses.append((await site.infer()).status_code)

    customers = [asyncio.create_task(customer()) for _ in range(4)]
    only_green = config(site.backends(0, 100)[1])
    only_blue = config(site.backends(100, 0)[0])
    for wanted in [config(*site.backends(50, 50)), config(*site.backends(0, 100)), only_green, only_blue] * 5:
        seen = len(statuses)
        await site.edge.publish(wanted)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(statuses) < seen + 8:
                await asyncio.sleep(0.001)
    stop.set()
    await asyncio.gather(*customers)
    assert set(statuses) == {httpx.codes.OK}
    assert (await site.infer()).json()["name"] == "blue"


async def test_requests_in_flight_are_counted_and_outlive_their_route(site: Site) -> None:
    await site.edge.publish(config(*site.backends(100, 0)))
    site.blue.held = asyncio.Event()
    waiting = [asyncio.create_task(site.infer()) for _ in range(3)]
    blue, green = site.backends(100, 0)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await site.edge.active_requests() != {blue.server: 3, green.server: 0}:
            await asyncio.sleep(0.01)
    await site.edge.publish(config(replace(green, weight=100)))
    assert (await site.infer()).json()["name"] == "green"
    site.blue.held.set()
    assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {httpx.codes.OK}


async def test_large_requests_pass_whole(site: Site) -> None:
    await site.edge.publish(config(*site.backends(100, 0)))
    body = b"x" * (5 << 20)
    answer = await site.ask(ACME, f"{SERVE}/v2/models/clf/infer", "POST", content=body)
    assert answer.json()["body"] == body.decode()


async def test_a_publication_cut_off_between_its_steps_is_completed_by_the_next(
    site: Site, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, green = config(*site.backends(100, 0)), config(site.backends(0, 100)[1])
    await site.edge.publish(both)
    for kept in (1, 2):
        cut = edge_of(settings)
        monkeypatch.setattr(cut, "_until", cut_off_after(kept, cut._until))
        with pytest.raises(ConnectionResetError):
            await cut.publish(green)
        await cut.close()
        assert (await site.infer()).status_code == httpx.codes.OK
        await site.edge.publish(green)
        assert await site.edge.active_requests() == {green.routes[0].backends[0].server: 0}
        assert (await site.infer()).json()["name"] == "green"
        await site.edge.publish(both)


def cut_off_after(kept: int, step: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Return the step as a process would do it that dies after so many."""
    done: list[int] = []

    async def cut(*arguments: object) -> None:
        if len(done) == kept:
            raise ConnectionResetError
        await step(*arguments)
        done.append(1)

    return cut


async def test_an_edge_that_is_away_is_waited_for_and_catches_up(site: Site, settings: Settings) -> None:
    # The site's Envoy stays; this edge speaks to one that is not there.
    absent = EnvoyEdge(
        settings.layout.envoy_rds,
        settings.layout.envoy_cds,
        settings.layout.sockets / "absent.sock",
        settings.api_socket,
        PERSON,
    )
    with pytest.raises(Waiting, match="admin"):
        await absent.publish(config(*site.backends(100, 0)))
    with pytest.raises(Waiting, match="admin"):
        await absent.active_requests()
    await absent.close()
    await site.edge.publish(config(*site.backends(100, 0)))
    assert (await site.infer()).json()["name"] == "blue"


async def test_a_configuration_envoy_refuses_is_waiting_and_the_one_before_stays(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.edge.publish(config(*site.backends(100, 0)))
    monkeypatch.setattr("reconciler.drivers.local.edge._TAKEN_WITHIN", 0.3)
    twice = EdgeConfig(BASE, (*TENANTS, EdgeTenant("other", "x", (ACME,))), ())
    with pytest.raises(Waiting, match=r"rds\.json"):
        await site.edge.publish(twice)
    assert (await site.infer()).json()["name"] == "blue"
    await site.edge.publish(config(*site.backends(0, 100)))
    assert (await site.infer()).json()["name"] == "green"


async def test_an_envoy_that_comes_back_routes_as_before(settings: Settings) -> None:
    async with upstream("blue") as blue:
        backend = Backend("acme--fraud.score-v1.aaa", blue.address, 100)
        async with running_part(envoy(settings)):
            edge = edge_of(settings)
            await edge.publish(config(backend))
            await edge.close()
        written = settings.layout.envoy_rds.stat().st_mtime_ns
        async with running_part(envoy(settings)), httpx.AsyncClient(trust_env=False) as client:
            url = f"http://127.0.0.1:{settings.edge_port}{SERVE}/v2"
            assert (await client.get(url, headers={"Host": ACME})).json()["name"] == "blue"
            edge = edge_of(settings)
            await edge.publish(config(backend))
            await edge.close()
        assert settings.layout.envoy_rds.stat().st_mtime_ns == written
