"""What the edge does to every request before a route is chosen, seen on a real Envoy without an upstream."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from reconciler.services.control import start_detached, stop
from reconciler.services.envoy import ROUTE_CONFIGURATION, TRUSTED_HEADERS
from reconciler.services.files import write_document
from reconciler.services.layout import Layout
from reconciler.services.settings import HOST, Settings

pytestmark = pytest.mark.parts

START_SECONDS = 60.0


def routes_that_tell() -> dict[str, Any]:
    """Answer every path of one host with what the router saw of the headers only the edge may set."""
    words = {f"seen-{name}": name for name in TRUSTED_HEADERS} | {"seen-path": ":path"}
    seen = [
        {"header": {"key": key, "value": f"%REQ({word}):40%"}, "keep_empty_value": True} for key, word in words.items()
    ]
    told = {"status": 200, "body": {"inline_string": "told"}}
    route = {"match": {"prefix": "/"}, "direct_response": told, "response_headers_to_add": seen}
    host = {"name": "acme", "domains": ["acme.ml.localhost"], "routes": [route]}
    kind = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
    resource = {
        "@type": kind,
        "name": ROUTE_CONFIGURATION,
        "virtual_hosts": [host],
        "ignore_port_in_host_matching": True,
    }
    return {"version_info": "1", "resources": [resource]}


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    layout = Layout(tmp_path_factory.mktemp("edge"))
    command = [sys.executable, str(Path(__file__).with_name("services_host.py")), str(layout.root)]
    try:
        asyncio.run(start_detached(layout, command, START_SECONDS))
        port = Settings.load(layout).edge_port
        write_document(layout.envoy_rds, routes_that_tell())
        with httpx.Client(base_url=f"http://{HOST}:{port}", headers={"host": f"acme.ml.localhost:{port}"}) as client:
            wait_for_routes(client)
            yield client
    finally:
        asyncio.run(stop(layout))


def wait_for_routes(client: httpx.Client) -> None:
    deadline = time.monotonic() + START_SECONDS
    while client.get("/").status_code != httpx.codes.OK:
        assert time.monotonic() < deadline, "the routes were not taken"
        time.sleep(0.05)


def test_a_host_matches_whatever_port_a_client_writes_behind_it(edge: httpx.Client) -> None:
    assert edge.get("/").text == "told"


@pytest.mark.parametrize("name", TRUSTED_HEADERS)
def test_a_clients_word_about_itself_is_removed(edge: httpx.Client, name: str) -> None:
    answer = edge.get("/", headers={name: "globex"})
    assert answer.headers.get(f"seen-{name}", "") in ("", "-")


def test_a_path_has_one_spelling(edge: httpx.Client) -> None:
    answer = edge.get("/serve//p/d/v2/x/../repository/index")
    assert answer.headers["seen-path"] == "/serve/p/d/v2/repository/index"


@pytest.mark.parametrize("path", ["/serve/p/d/v2%2Frepository", "/serve/p/d/v2%5Crepository"])
def test_an_escaped_slash_is_refused(edge: httpx.Client, path: str) -> None:
    assert edge.get(path).status_code == httpx.codes.BAD_REQUEST


def test_a_header_with_an_underscore_is_refused(edge: httpx.Client) -> None:
    assert edge.get("/", headers={"x_tenant_id": "globex"}).status_code == httpx.codes.BAD_REQUEST
