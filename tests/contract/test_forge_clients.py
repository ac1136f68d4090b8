"""How forges' APIs are asked: limits kept, answers bounded, tokens renewed, and nobody's secrets told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from reconciler.planning.forge import Proposal
from reconciler.planning.rate_limits import RESERVE
from reconciler.planning.remote import Attempt
from reconciler.ports.errors import Stalled, Waiting
from reconciler.ports.remote import RefUpdate
from reconciler.ports.repository import MAIN
from reconciler.stores.forges import client as module
from reconciler.stores.forges.app_tokens import AppTokens
from reconciler.stores.forges.gitea import api_of as gitea_api_of
from reconciler.stores.forges.github import GitHubForge, api_of
from reconciler.stores.git.remote import GitRemote
from tests.support.forge_double import BOT, Answer, Asked, Forge
from tests.support.forge_github import GitHubDialect
from tests.support.forges import World, github_double
from tests.support.repositories import seeded_repository

pytestmark = pytest.mark.anyio

APP = "Iv1.an-app"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with github_double(tmp_path / "forge") as made:
        yield made


@pytest.fixture
def double(world: World) -> Forge:
    assert world.double is not None
    return world.double


@pytest.fixture
def dialect(double: Forge) -> GitHubDialect:
    assert isinstance(double.dialect, GitHubDialect)
    return double.dialect


@pytest.fixture
async def forge(world: World) -> AsyncIterator[GitHubForge]:
    made = GitHubForge(world.url, lambda: world.tokens[BOT])
    yield made
    await made.aclose()


def always(status: int, headers: dict[str, str] | None = None, message: str = "") -> Answer:
    return Answer(status, {"message": message}, headers or {})


async def test_what_did_not_change_costs_nothing(forge: GitHubForge, dialect: GitHubDialect) -> None:
    await forge.list()
    used = dialect.used
    for _ in range(5):
        assert await forge.list() == []
    assert dialect.used == used


async def test_a_used_up_limit_is_kept(forge: GitHubForge, double: Forge, dialect: GitHubDialect) -> None:
    dialect.used = dialect.limit - 1
    await forge.list()
    asked = len(double.asked)
    with pytest.raises(Waiting, match="rate limit") as waiting:
        await forge.show(1)
    assert len(double.asked) == asked, "nothing more is asked"
    assert 1700 < waiting.value.after <= 1801


async def test_polls_leave_some_requests(forge: GitHubForge, double: Forge, dialect: GitHubDialect) -> None:
    dialect.used = dialect.limit - RESERVE
    assert await forge.list() == []
    with pytest.raises(Waiting):
        await forge.list()
    assert await forge.show(1) is None


async def test_a_secondary_limit_is_kept(forge: GitHubForge, double: Forge) -> None:
    double.fault = lambda _: always(403, {"Retry-After": "77"}, "You have exceeded a secondary rate limit")
    for _ in range(3):
        with pytest.raises(Waiting) as waiting:
            await forge.list()
        assert 70 < waiting.value.after <= 77
    assert len(double.asked) == 1


@pytest.mark.parametrize(
    ("answer", "error", "word"),
    [
        (always(403, message="Resource not accessible by integration"), Stalled, "give it the right"),
        (always(502), Waiting, "answers 502"),
        (always(301, {"Location": "https://elsewhere.example/x?token=1"}), Stalled, "moved to elsewhere.example;"),
        (always(410, message="Gone"), Stalled, "Gone"),
    ],
)
async def test_errors_say_what_is_next(
    forge: GitHubForge, double: Forge, answer: Answer, error: type[Exception], word: str
) -> None:
    double.fault = lambda _: answer
    with pytest.raises(error, match=word):
        await forge.show(1)


async def test_a_page_that_is_no_api_is_waited_for(forge: GitHubForge, double: Forge) -> None:
    double.fault = lambda _: Answer(200, b"<html>Sign in to the network</html>")
    with pytest.raises(Waiting, match="without JSON"):
        await forge.show(1)


async def test_answers_are_bounded(forge: GitHubForge, double: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    double.fault = lambda _: Answer(200, {"body": "x" * 1000})
    with pytest.raises(Waiting, match="more than 1000 bytes"):
        await forge.show(1)


async def test_pages_are_followed_here_and_bounded(
    forge: GitHubForge, double: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_PAGES", 3)

    def page(asked: Asked) -> Answer:
        number = int(asked.query.get("page", 1))
        elsewhere = f"https://elsewhere.example{double.dialect.prefix}{asked.path}?page={number + 1}"
        return Answer(200, [], {"Link": f'<{elsewhere}>; rel="next"'})

    double.fault = page
    assert await forge.list() == []
    assert [asked.query.get("page") for asked in double.asked] == [None, "2", "3"]


async def test_a_forge_that_is_away_is_waited_for() -> None:
    forge = GitHubForge("http://127.0.0.1:9/acme/intents", lambda: "secret-token")
    with pytest.raises(Waiting, match="cannot be reached") as waiting:
        await forge.list()
    await forge.aclose()
    assert "secret-token" not in str(waiting.value)


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://github.com/acme/intents", "https://api.github.com/repos/acme/intents"),
        ("https://github.com/acme/intents.git/", "https://api.github.com/repos/acme/intents"),
        ("https://git.acme.example/acme/intents", "https://git.acme.example/api/v3/repos/acme/intents"),
    ],
)
def test_the_address_of_the_api(url: str, api: str) -> None:
    assert api_of(url) == api


def test_a_gitea_may_lie_below_a_path() -> None:
    assert gitea_api_of("https://acme.example/git/a/b") == "https://acme.example/git/api/v1/repos/a/b"


@pytest.mark.parametrize("url", ["https://github.com/acme", "https://github.com", "ssh://github.com/acme/intents"])
def test_what_is_no_repository_is_said(url: str) -> None:
    with pytest.raises(Stalled, match="names no repository"):
        api_of(url)


@pytest.fixture
def app(dialect: GitHubDialect) -> GitHubDialect:
    dialect.app_id, dialect.app_key = APP, KEY.public_key()
    return dialect


def renewals(double: Forge) -> int:
    return sum(asked.path.endswith("/access_tokens") for asked in double.asked)


async def test_an_app_acts_with_tokens_of_its_installation(
    world: World, double: Forge, app: GitHubDialect, tmp_path: Path
) -> None:
    tokens = AppTokens(world.url, APP, lambda: PEM)
    forge, repository = GitHubForge(world.url, tokens), seeded_repository(tmp_path / "state.git")
    head = repository.head() or ""
    pushed = GitRemote(repository.path, world.url, tokens).push(
        [RefUpdate(MAIN, None, head), RefUpdate("refs/heads/change/1", None, head)]
    )
    assert pushed.attempt is Attempt.ACCEPTED, "git takes the same token"
    with pytest.raises(Waiting, match="No commits between"):
        await forge.propose(Proposal("change/1", head, "Change", "plan"))
    await forge.aclose()
    assert renewals(double) == 1
    assert double.asked[-1].user == f"{APP}[bot]"


async def test_a_token_is_renewed_before_it_ends(world: World, double: Forge, app: GitHubDialect) -> None:
    clock = [datetime.now(UTC)]
    app.now = lambda: clock[0]
    tokens = AppTokens(world.url, APP, lambda: PEM, lambda: clock[0])
    first = tokens()
    clock[0] += timedelta(minutes=50)
    assert tokens() == first
    clock[0] += timedelta(minutes=6)
    assert tokens() != first
    assert renewals(double) == 2


@pytest.mark.parametrize(
    ("name", "key", "word"),
    [
        ("Iv1.another", PEM, "gets no token"),
        (APP, "-----BEGIN RSA PRIVATE KEY-----\nMIIsecret\n-----END RSA PRIVATE KEY-----", "no private RSA key"),
        (APP, "", "no private RSA key"),
    ],
)
async def test_an_app_that_is_not_accepted_is_said(
    world: World, app: GitHubDialect, name: str, key: str, word: str
) -> None:
    with pytest.raises(Stalled, match=word) as refused:
        AppTokens(world.url, name, lambda: key)()
    assert "MII" not in str(refused.value)


async def test_a_forge_that_gives_no_token_now_is_waited_for(world: World, double: Forge, app: GitHubDialect) -> None:
    double.fault = lambda _: always(HTTPStatus.BAD_GATEWAY)
    with pytest.raises(Waiting, match="gets no token now"):
        AppTokens(world.url, APP, lambda: PEM)()
    with pytest.raises(Waiting, match="cannot be asked"):
        AppTokens("http://127.0.0.1:9/acme/intents", APP, lambda: PEM)()


async def test_no_secret_stands_in_what_is_printed(world: World, app: GitHubDialect) -> None:
    tokens = AppTokens(world.url, APP, lambda: PEM)
    assert tokens() not in repr(tokens)
