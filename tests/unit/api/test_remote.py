"""Which platform a command asks, in whose name, and what is said where none answers."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import BaseServer, UnixStreamServer
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from api.cli.refusals import Exit
from api.client import Address
from api.composition.local import local_address
from api.main import main
from reconciler.services.layout import Layout
from reconciler.services.settings import NotSetUp, Settings
from tests.support.repositories import seeded_repository


def ordain(*words: str, **environment: str | None) -> Result:
    unset = {"ORDAIN_SERVER": None, "ORDAIN_TENANT": None, "ORDAIN_PROJECT": None, "ORDAIN_TOKEN": None}
    return CliRunner().invoke(main, words, env={**unset, **environment})


def said(text: str) -> None:
    """Take what `prepare` says of ports that it had to replace: none, here."""
    raise AssertionError(text)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A platform that was up once."""
    found = Layout(tmp_path)
    found.state.mkdir(parents=True)
    seeded_repository(found.repository)
    Settings.prepare(found, said)
    return found


def test_the_platform_of_a_folder_is_reached_at_its_edge(layout: Layout) -> None:
    port = Settings.load(layout).edge_port
    assert local_address(layout) == Address(f"http://127.0.0.1:{port}", f"ml.localhost:{port}", is_here=True)


def test_a_folder_without_a_platform_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotSetUp):
        local_address(Layout(tmp_path))
    done = ordain("get", "runs", "--root", str(tmp_path))
    assert done.exit_code == Exit.USAGE
    assert f"{tmp_path} has no platform yet; start one with `ordain up`, or say where one is by --server" in done.output
    done = ordain("change", "list", "--root", str(tmp_path), "--as", "ann@acme.example")
    assert (done.exit_code, "has no platform yet" in done.output) == (Exit.USAGE, True)


@pytest.mark.parametrize("person", [(), ("--as", "ann@acme.example")])
def test_a_platform_that_is_down_is_said_at_once(layout: Layout, person: tuple[str, ...]) -> None:
    done = ordain("get", "runs", "-t", "acme", "--root", str(layout.root), *person)
    assert done.exit_code == Exit.UNAVAILABLE
    assert "does not answer: " in done.output
    assert done.output.endswith(f"\nthe platform of {layout.root} is not up: start it with `ordain up`\n")


class Answering(BaseHTTPRequestHandler):
    """Answers with what it was sent."""

    def do_GET(self) -> None:
        body = json.dumps({"detail": f"{self.path} {self.headers}", "code": "shown"}).encode()
        self.send_response(400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def answering(server: BaseServer) -> Iterator[None]:
    with server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield
        server.shutdown()
        thread.join()


@pytest.fixture
def server() -> Iterator[str]:
    found = HTTPServer(("127.0.0.1", 0), Answering)
    with answering(found):
        yield f"http://127.0.0.1:{found.server_address[1]}"


def test_tenant_token_and_server_come_from_options_or_the_environment(server: str) -> None:
    by_option = ordain("get", "run/a", "-t", "acme", "-n", "fraud", "--server", server)
    by_environment = ordain("get", "run/a", ORDAIN_TENANT="acme", ORDAIN_PROJECT="fraud", ORDAIN_SERVER=server)
    assert by_option.output == by_environment.output
    assert "/t/acme/api/v1/runs/a?project=fraud" in by_option.output
    token = ordain("get", "run/a", "-t", "acme", "-n", "fraud", "--server", server, ORDAIN_TOKEN="s3cret")
    assert "Authorization: Bearer s3cret" in token.output
    assert "Authorization" not in by_option.output


def test_a_token_goes_over_https_only() -> None:
    done = ordain("get", "run/a", "-t", "acme", "--server", "http://ml.example.org", ORDAIN_TOKEN="s3cret")
    assert done.exit_code == Exit.USAGE
    assert "http://ml.example.org is not encrypted: ORDAIN_TOKEN goes over https only" in done.output
    assert "s3cret" not in done.output


class OnSocket(UnixStreamServer):
    """The same on a unix socket."""

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, _ = super().get_request()
        return connection, ("socket", 0)


def test_a_person_is_spoken_for_past_the_edge(layout: Layout) -> None:
    layout.api_socket.parent.mkdir(parents=True, exist_ok=True)
    with answering(OnSocket(str(layout.api_socket), Answering)):
        done = ordain(
            *("get", "run/a", "-t", "acme", "-n", "fraud", "--root", str(layout.root)),
            *("--as", "ann@acme.example,acme-ml,leads"),
        )
    assert done.exit_code == Exit.REFUSED
    assert "/t/acme/api/v1/runs/a" in done.output
    assert "x-forwarded-user: ann@acme.example" in done.output.lower()
    assert "x-forwarded-groups: acme-ml,leads" in done.output.lower()
    assert "host: ml.localhost:" in done.output.lower()
