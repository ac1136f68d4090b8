"""What a connection asks again, how often, and what it tells instead of an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from api.client import (
    ABSENT,
    Address,
    Asking,
    Client,
    ClientError,
    Conflict,
    NoAddress,
    NotFound,
    Patience,
    Refused,
    State,
    Unavailable,
    Write,
    Written,
)
from api.client.connection import Means

PATH = "tenants/acme/projects/fraud/schedules/nightly.yaml"
COMMIT, BLOB = "c" * 40, "b" * 40
ACME = Address.here(1, "acme.ml.localhost")
Answer = httpx.Response | Exception


def problem(status: int, code: str = "", **more: Any) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "detail": f"{status} {code}", **more})


def written(state: str = "committed", status: int = 200) -> httpx.Response:
    commit = COMMIT if state == "committed" else None
    body = {"request": "00000000-0000-0000-0000-000000000001", "state": state, "commit": commit, "paths": [PATH]}
    return httpx.Response(status, json=body)


def document(text: bytes = b"kind: Schedule\n") -> httpx.Response:
    return httpx.Response(200, content=text, headers={"ETag": f'"{BLOB}"', "Ordain-Commit": COMMIT})


@dataclass
class Platform:
    """Gives its answers in order, the last again and again; nobody sleeps."""

    answers: Sequence[Answer]
    asked: list[httpx.Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def client(self, **more: Any) -> Client:
        transport = httpx.MockTransport(self._answer)
        means = Means(transport, sleep=self.slept.append, chance=lambda: 1.0)
        return Client(ACME, means=means, tell=lambda passing: self.told.append(passing.detail), **more)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, httpx.TransportError):
            answer.request = request
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_the_tenant_goes_in_the_host_and_nobody_says_who_they_are() -> None:
    platform = Platform([document()])
    platform.client().intents.get(PATH)
    (request,) = platform.asked
    assert (str(request.url), request.headers["host"]) == (
        f"http://127.0.0.1:1/api/v1/intents/{PATH}",
        "acme.ml.localhost:1",
    )
    assert not [name for name in request.headers if name.startswith("x-") or name == "authorization"]


def test_a_tenant_of_the_bare_host_goes_in_the_path_and_a_token_in_its_header() -> None:
    platform = Platform([document()])
    platform.client(tenant="glo bex/", token="t").intents.get(PATH)
    (request,) = platform.asked
    assert request.url.raw_path.decode() == f"/t/glo%20bex%2F/api/v1/intents/{PATH}"
    assert request.headers["authorization"] == "Bearer t"


PASSING: list[Answer] = [
    httpx.ConnectError("refused"),
    httpx.ReadError(""),
    problem(502),
    problem(503, "unavailable"),
    problem(504),
    problem(429),
    problem(412, "min-commit"),
]


def test_what_passes_is_asked_again_and_told() -> None:
    platform = Platform([*PASSING, document()])
    assert platform.client().intents.get(PATH).blob == BLOB
    assert len(platform.asked) == len(PASSING) + 1
    assert platform.slept == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert platform.told[:2] == [
        "http://127.0.0.1:1 does not answer: refused",
        "http://127.0.0.1:1 does not answer: ReadError",
    ]


def test_the_platform_says_how_long_to_wait() -> None:
    later = httpx.Response(503, json={"detail": "soon"}, headers={"Retry-After": "7"})
    platform = Platform([later, document()])
    platform.client().intents.get(PATH)
    assert platform.slept == [7.0]


def test_patience_ends() -> None:
    later = httpx.Response(503, json={"detail": "soon", "code": "unavailable"}, headers={"Retry-After": "7"})
    platform = Platform([later])
    with pytest.raises(Unavailable, match="soon") as raised:
        platform.client(patience=Patience(6)).intents.get(PATH)
    assert (platform.slept, raised.value.after, raised.value.status) == ([], 7.0, 503)
    assert raised.value.key == "", "nothing was to be written"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (problem(400, "tenant-required"), Refused),
        (problem(403, "forbidden"), Refused),
        (problem(404, "not-found"), NotFound),
        (problem(409, "idempotency-key-reused"), Refused),
        (problem(422, "invalid-intent"), Refused),
        (problem(500, "internal-error"), Unavailable),
    ],
)
def test_what_stays_is_asked_once(answer: httpx.Response, error: type[ClientError]) -> None:
    platform = Platform([answer])
    with pytest.raises(error, match=str(answer.status_code)) as raised:
        platform.client().intents.get(PATH)
    assert (len(platform.asked), raised.value.status) == (1, answer.status_code)
    assert type(raised.value) is error


def test_a_refusal_has_every_problem_with_its_place() -> None:
    found = {"code": "unknown-field", "path": PATH, "line": 3, "column": 5, "message": "no field", "hint": "try b"}
    platform = Platform([problem(422, "invalid-intent", problems=[found])])
    with pytest.raises(Refused) as raised:
        platform.client().intents.put(PATH, b"")
    (told,) = raised.value.problems
    assert (told.line, told.hint) == (3, "try b")
    assert str(raised.value) == f"422 invalid-intent\n  {PATH}:3:5: unknown-field: no field (try b)"


def test_a_conflict_has_both_versions() -> None:
    disputed = {"path": PATH, "base": "a" * 40, "yours": {"blob": "y", "content": "mine"}, "theirs": None}
    platform = Platform([problem(409, "conflict", conflicts=[disputed])])
    with pytest.raises(Conflict, match=PATH) as raised:
        platform.client().intents.put(PATH, b"mine", expects="a" * 40)
    assert raised.value.yours is not None
    assert (raised.value.yours.content, raised.value.theirs) == ("mine", None)
    assert platform.asked[0].headers["if-match"] == f'"{"a" * 40}"'


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(422, json={"error": "shape mismatch"}), "shape mismatch"),
        (httpx.Response(400, text="no\n"), "no"),
        (httpx.Response(400), "Bad Request"),
        (httpx.Response(400, json=[1]), r"\[1\]"),
        (httpx.Response(308, headers={"Location": "https://x/"}), "redirects to https://x/: use that address"),
    ],
)
def test_answers_of_others_are_read_as_far_as_they_can_be(answer: httpx.Response, said: str) -> None:
    with pytest.raises(Refused, match=said):
        Platform([answer]).client().intents.get(PATH)


@pytest.mark.parametrize("answer", [httpx.Response(200, text="<html>"), httpx.Response(200, json={"items": 3})])
def test_another_server_is_told_apart(answer: httpx.Response) -> None:
    platform = Platform([answer])
    for ask in (lambda client: client.intents.get(PATH), lambda client: list(client.intents.list())):
        with pytest.raises(Refused, match=r"http://acme\.ml\.localhost:1 answers .* as ordain's API does not"):
            ask(platform.client())


LOST = httpx.ReadError("the connection was closed")


def writes(client: Client) -> Iterator[Callable[[], object]]:
    yield lambda: client.intents.put(PATH, b"")
    yield lambda: client.intents.delete(PATH)
    yield lambda: client.intents.change([])
    yield lambda: client.changes.merge("x")
    yield lambda: client.changes.close("x")
    yield lambda: client.runs.cancel("x")
    yield lambda: client.deployments.put("x", {})
    yield lambda: client.deployments.roll_back("x", "why")


def test_a_write_is_sent_again_under_its_key_and_no_other_has_it() -> None:
    keys = set()
    for number, _ in enumerate(writes(Platform([]).client())):
        platform = Platform([LOST, problem(503), written()])
        list(writes(platform.client()))[number]()
        first, *others = [request.headers["idempotency-key"] for request in platform.asked]
        assert others == [first, first]
        assert len({(each.method, each.url.path, each.content) for each in platform.asked}) == 1
        keys.add(first)
    assert len(keys) == number + 1


def test_a_write_of_which_nothing_is_known_says_by_which_key_to_ask_for_it() -> None:
    platform = Platform([LOST])
    client = platform.client(patience=Patience(0))
    with pytest.raises(Unavailable) as raised:
        client.intents.put(PATH, b"")
    platform.answers = [written()]
    client.intents.put(PATH, b"", asking=Asking(key=raised.value.key))
    assert len({request.headers["idempotency-key"] for request in platform.asked}) == 1


def test_a_write_is_waited_for_as_long_as_it_waits() -> None:
    platform = Platform([written("waiting", 202)] * 2 + [written(status=201)])
    seen: list[Written] = []
    found = platform.client().intents.put(PATH, b"", asking=Asking(wait=100, waiting=seen.append))
    assert (found.state, found.commit, found.created) == (State.COMMITTED, COMMIT, True)
    assert [each.state for each in seen] == [State.WAITING] * 2
    assert [float(request.url.params["wait"]) for request in platform.asked] == [20.0] * 3


def test_without_waiting_it_is_asked_once() -> None:
    platform = Platform([written("waiting", 202)])
    assert platform.client().intents.put(PATH, b"", asking=Asking(wait=0)).state is State.WAITING
    assert [request.url.params["wait"] for request in platform.asked] == ["0.00"]


def test_reads_reflect_the_newest_own_write() -> None:
    platform = Platform([document(), written(), document(), httpx.Response(200, json={"items": [], "next": None})])
    client = platform.client()
    client.intents.get(PATH)
    client.intents.put(PATH, b"")
    client.intents.get(PATH)
    assert list(client.intents.list()) == []
    assert [request.url.params.get("minCommit") for request in platform.asked] == [None, None, COMMIT, COMMIT]


def test_inferences_are_never_asked_twice() -> None:
    platform = Platform([problem(503)])
    with pytest.raises(Unavailable):
        platform.client().deployments.infer("/serve/fraud/x/v2/models/x/infer", [])
    assert len(platform.asked) == 1


def test_lists_go_on_until_the_last_page() -> None:
    pages = [httpx.Response(200, json={"items": [], "next": cursor}) for cursor in ("a", "b", None)]
    platform = Platform(pages)
    assert list(platform.client(project="fraud").runs.list()) == []
    assert [request.url.params.get("cursor") for request in platform.asked] == [None, "a", "b"]
    assert {request.url.params["project"] for request in platform.asked} == {"fraud"}


@pytest.mark.parametrize(
    ("url", "connects", "host", "here"),
    [
        ("http://acme.ml.localhost:8080", "http://127.0.0.1:8080", "acme.ml.localhost:8080", True),
        ("http://localhost", "http://127.0.0.1", "localhost", True),
        ("http://127.0.0.1:9", "http://127.0.0.1:9", "127.0.0.1:9", True),
        ("https://ml.example.org/", "https://ml.example.org", "ml.example.org", False),
        ("https://ml.example.org/t/acme/", "https://ml.example.org/t/acme", "ml.example.org", False),
    ],
)
def test_addresses(url: str, connects: str, host: str, here: bool) -> None:
    address = Address.of(url)
    assert (address.url, address.host, address.is_here) == (connects, host, here)
    assert str(address) == url.rstrip("/")


@pytest.mark.parametrize(
    "url", ["", "acme", "ftp://x", "http://", "http://x:y", "http://x:0", "http://a:b@x", "http://x?y", "http://[x"]
)
def test_other_texts_are_no_addresses(url: str) -> None:
    with pytest.raises(NoAddress, match="write it as https://HOST"):
        Address.of(url)


def test_a_change_says_what_it_expects() -> None:
    platform = Platform([written()])
    platform.client().intents.change([Write(PATH, "x", ABSENT), Write(PATH, None)], "Tidy")
    assert json.loads(platform.asked[0].content) == {
        "subject": "Tidy",
        "writes": [
            {"path": PATH, "content": "x", "expects": "absent"},
            {"path": PATH, "content": None, "expects": "any"},
        ],
    }
