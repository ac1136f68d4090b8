"""Webhooks of the forge: who may send them, and that nothing in them counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.http import webhooks
from reconciler.ports.errors import Stalled
from tests.fixtures.panel_world import World, seeded, with_repository
from tests.support.forge_double import Dialect, Forge, signature
from tests.support.forge_gitea import GiteaDialect
from tests.support.forge_github import GitHubDialect

pytestmark = pytest.mark.anyio

URL = "https://git.example/acme/intents"
SECRET = "secret-of-the-webhook"
BODY = b'{"ref": "refs/heads/main"}'
DIALECTS: dict[str, Dialect] = {"gitea": GiteaDialect(), "github": GitHubDialect()}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def with_forge(folder: Path, provider: str) -> World:
    world = with_repository(seeded(folder), home="forge", forge={"provider": provider, "url": URL})
    world.webhook_secrets[URL] = SECRET
    return world


@pytest.fixture(params=DIALECTS)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(tmp_path: Path, provider: str) -> World:
    return with_forge(tmp_path, provider)


async def post(world: World, provider: str, headers: Mapping[str, str], content: Any = BODY) -> int:
    encoded = [(key.encode(), value.encode("latin-1")) for key, value in headers.items()]
    client = httpx.AsyncClient(transport=httpx.ASGITransport(world.app()), base_url="http://ml.localhost:8080")
    async with client:
        answer = await client.post(f"/api/v1/webhooks/{provider}", content=content, headers=encoded)
    assert SECRET not in answer.text
    return answer.status_code


async def test_what_the_forge_signs_is_a_hint(world: World, provider: str, tmp_path: Path) -> None:
    body, headers = DIALECTS[provider].event(Forge(tmp_path, DIALECTS[provider]), "push")
    assert await post(world, provider, headers, body) == 202
    assert await post(world, provider, headers, body) == 202, "one that is repeated does no harm"
    assert world.hints == 2


async def test_what_is_in_it_is_never_read(world: World, provider: str) -> None:
    content = b"\xff" * 1000
    assert await post(world, provider, {"X-Hub-Signature-256": f"sha256={signature(SECRET, content)}"}, content) == 202
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://github.com"}
    signed = {"X-Hub-Signature-256": f"sha256={signature(SECRET, BODY)}"}
    assert await post(world, provider, {**form, **signed}) == 202


BAD = {
    "none": {},
    "empty": {"X-Hub-Signature-256": ""},
    "another secret": {"X-Hub-Signature-256": f"sha256={signature('guess', BODY)}"},
    "another body": {"X-Hub-Signature-256": f"sha256={signature(SECRET, BODY + b' ')}"},
    "half": {"X-Hub-Signature-256": f"sha256={signature(SECRET, BODY)[:32]}"},
    "no text": {"X-Hub-Signature-256": "sha256=\u00e4\u00f6"},
    "the old one": {"X-Hub-Signature": f"sha1={signature(SECRET, BODY)}"},
}


@pytest.mark.parametrize("headers", BAD.values(), ids=BAD)
async def test_what_is_not_signed_is_refused(world: World, provider: str, headers: Mapping[str, str]) -> None:
    assert await post(world, provider, headers) == 401
    assert world.hints == 0


async def test_a_body_without_end_is_refused(world: World, provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST_BYTES", 1000)

    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 100

    assert await post(world, provider, {}, chunks()) == 413
    assert world.hints == 0


async def test_a_body_that_does_not_come_is_not_waited_for(
    world: World, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "SECONDS", 0.05)

    async def chunks() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    assert await post(world, provider, {}, chunks()) == 408


async def test_none_is_taken_where_none_is_expected(tmp_path: Path) -> None:
    signed = {"X-Hub-Signature-256": f"sha256={signature(SECRET, BODY)}"}
    world = with_forge(tmp_path / "a", "gitea")
    assert await post(world, "github", signed) == 404
    assert await post(world, "gitlab", signed) == 422
    world.webhook_secrets.clear()
    assert await post(world, "gitea", signed) == 404
    assert await post(seeded(tmp_path / "b"), "gitea", signed) == 404
    assert world.hints == 0


async def test_a_secret_that_cannot_be_read_is_for_the_log(world: World, provider: str) -> None:
    class Missing(dict[str, str]):
        def get(self, *_: object) -> Any:
            raise Stalled("the file /run/secrets/hook holds no secret")

    world.webhook_secrets = Missing()
    assert await post(world, provider, {}) == 503
