"""Templates come with their packages, in one request."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from intents.authority import Principal
from intents.problems import Problem
from intents.reading import read
from reconciler.planning.companions import is_companion
from reconciler.planning.writing import Accepted, Refused, Write, WriteAction, decide_request
from tests.fixtures.trees import small_tree
from tests.fixtures.write_requests import request

ROOT = Path(__file__).resolve().parents[3]
FOLDER = "templates/hello/1.0.0"
TEMPLATE, PACKAGE = f"{FOLDER}/template.yaml", f"{FOLDER}/pipeline.yaml"
ADMIN = Principal("root@localhost")
BODIES = {path: (ROOT / path).read_bytes() for path in (TEMPLATE, PACKAGE)}
TREE = small_tree()
WITH_TEMPLATE = TREE.advance({TEMPLATE: read(TEMPLATE, BODIES[TEMPLATE], "0" * 40)})


def put(path: str, body: bytes | None = None) -> Write:
    return Write(path, WriteAction.PUT, BODIES[path] if body is None else body)


def refused(*writes: Write, tree: object = TREE, principal: Principal = ADMIN) -> list[Problem]:
    _, decision = decide_request(tree, request(writes=writes, principal=principal))  # type: ignore[arg-type]
    return list(decision.problems) if isinstance(decision, Refused) else []


def test_a_template_is_written_with_its_package() -> None:
    after, decision = decide_request(TREE, request(writes=(put(TEMPLATE), put(PACKAGE)), principal=ADMIN))
    assert isinstance(decision, Accepted)
    assert decision.files == BODIES
    assert TEMPLATE in after
    assert PACKAGE not in after


def test_a_template_without_its_package_is_refused() -> None:
    assert [each.code for each in refused(put(TEMPLATE))] == ["invalid-package"]


def test_a_package_is_the_one_its_template_names() -> None:
    changed = put(PACKAGE, BODIES[PACKAGE] + b"\n")
    assert [each.code for each in refused(put(TEMPLATE), changed)] == ["package-changed"]
    assert [each.code for each in refused(changed, tree=WITH_TEMPLATE)] == ["package-changed"]
    gone = Write(PACKAGE, WriteAction.REMOVE)
    assert [each.code for each in refused(gone, tree=WITH_TEMPLATE)] == ["invalid-package"]


def test_what_stays_as_it_is_needs_no_package() -> None:
    deprecated = BODIES[TEMPLATE] + b"  deprecated: use another\n"
    assert refused(put(TEMPLATE, deprecated), tree=WITH_TEMPLATE) == []
    both = (Write(PACKAGE, WriteAction.REMOVE), Write(TEMPLATE, WriteAction.REMOVE))
    assert refused(*both, tree=WITH_TEMPLATE) == []


def test_members_write_no_packages() -> None:
    developer = Principal("dev@acme.example")
    assert [each.code for each in refused(put(PACKAGE), principal=developer)] == ["forbidden"]


@pytest.mark.parametrize(
    "path",
    [
        "templates/hello/1.0.0/../x",
        "templates/hello/1.0.0/.git",
        "templates/hello/1.0.0/README.md",
        "templates/hello/1.0.0/sub/pipeline.yaml",
        "templates/hello/1.0/pipeline.yaml",
        "templates/Hello/1.0.0/pipeline.yaml",
        "templates/hello/1.0.0/" + "x" * 200,
        "templates/hello/1.0.0/a\0b",
        "templates/hello/1.0.0/a\\b",
        "templates/hello/1.0.0/",
        "platform/install/argo-cd.yaml",
    ],
)
def test_few_names_may_lie_beside_a_template(path: str) -> None:
    assert not is_companion(path)
    assert [each.code for each in refused(Write(path, WriteAction.PUT, b"x"))] in (["misplaced-file"], ["invalid-name"])


def test_a_package_is_not_too_large() -> None:
    large = put(f"{FOLDER}/notes.txt", b"x" * (1 << 20) + b"x")
    assert [each.code for each in refused(large, tree=WITH_TEMPLATE)] == ["invalid-package"]


def test_the_digest_is_of_the_very_bytes() -> None:
    assert hashlib.sha256(BODIES[PACKAGE]).hexdigest().encode() in BODIES[TEMPLATE]
