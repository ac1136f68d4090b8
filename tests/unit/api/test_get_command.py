"""`ordain get`, as people call it, against the API on a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.cli.refusals import Exit
from intents.writing import blob_id
from tests.fixtures.served_world import ServedWorld, served
from tests.fixtures.shell import Shell
from tests.fixtures.trees import DEPLOYMENT, MODEL_1, ROLLOUT, RUN, small_specs
from tests.fixtures.write_world import ADMIN, PLATFORM_HOST, write_world
from tests.support.repositories import intent


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ServedWorld]:
    specs = small_specs()
    with served(write_world(tmp_path, {path: specs[path] for path in (DEPLOYMENT, ROLLOUT, MODEL_1)})) as found:
        yield found


@pytest.fixture
def shell(world: ServedWorld) -> Shell:
    return Shell(world)


def table(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_lists_are_tables_of_what_people_look_for(shell: Shell) -> None:
    assert table(shell.says("get", "deploy")) == [
        ["NAME", "READY", "LIVE", "ASKED"],
        ["scoring", "no", "v1", "100%", "v1=fraud@1"],
    ]
    headings, *models = table(shell.says("get", "models"))
    assert headings == ["NAME", "BY", "AGE", "COMMIT"]
    assert [row[0] for row in models] == ["fraud@1", "fraud@2", "other@1"]
    assert table(shell.says("get", "templates"))[0] == ["NAME", "DEPRECATED"]
    assert ["train@1.0.0"] in table(shell.says("get", "tmpl"))
    assert shell.run("get", "runs").output == "no run in acme/fraud\n"
    wide = shell.says("get", "deploy", "-o", "wide").splitlines()
    assert wide[0].endswith("BLOB          INFERENCES")
    assert "/serve/fraud/scoring/" in wide[1]


def test_one_intent_in_every_form(shell: Shell) -> None:
    body = intent(DEPLOYMENT, small_specs()[DEPLOYMENT])
    assert table(shell.says("get", "deployment/scoring"))[1][0] == "scoring"
    first, rest = shell.says("get", "deploy", "scoring", "-o", "yaml").split("\n", 1)
    assert first == f"# read from ordain: {DEPLOYMENT} at {shell.served.world.head}, blob {blob_id(body)}"
    assert rest == body.decode()
    found = json.loads(shell.says("get", "deploy/scoring", "-o", "json"))
    assert (found["path"], found["kind"], found["blob"]) == (DEPLOYMENT, "ModelDeployment", blob_id(body))
    assert found["document"]["spec"]["runtime"] == "triton"
    assert shell.says("get", "deploy/scoring", "-o", "name") == "deployment/scoring\n"
    assert shell.says("get", "model/fraud", "-o", "name") == "model/fraud@2\n", "the newest"
    assert table(shell.says("get", "model/fraud@1"))[1][0] == "fraud@1"
    assert table(shell.says("get", "template/train"))[1] == ["train@1.0.0"]


def test_all_of_a_kind_in_every_form(shell: Shell) -> None:
    assert shell.says("get", "models", "-o", "name") == "model/fraud@1\nmodel/fraud@2\nmodel/other@1\n"
    items = json.loads(shell.says("get", "models", "-o", "json"))["items"]
    assert items[0]["path"] == MODEL_1
    documents = shell.says("get", "models", "-o", "yaml").split("---\n")
    assert [each.splitlines()[0].startswith("# read from ordain: ") for each in documents] == [True] * 3


def test_all_of_every_kind(shell: Shell) -> None:
    names = shell.says("get", "all", "-o", "name").splitlines()
    assert {"project/fraud", "deployment/scoring", "rollout/scoring", "model/fraud@2"} <= set(names)
    headings, *rows = table(shell.says("get", "all"))
    assert headings[0] == "NAME"
    assert [row[0] for row in rows] == names
    outside = Shell(shell.served, ADMIN, PLATFORM_HOST).says("get", "all", "-o", "name").splitlines()
    assert {"platform/platform", "cluster/local", "tenant/acme", "template/train@1.0.0"} <= set(outside)


def test_what_lies_outside_tenants_is_asked_of_the_platform(shell: Shell) -> None:
    admin = Shell(shell.served, ADMIN, PLATFORM_HOST)
    assert table(admin.says("get", "clusters", "-t", "acme"))[1][0] == "local", "whatever the tenant is"
    assert [row[0] for row in table(admin.says("get", "tenants"))] == ["NAME", "acme", "globex"]


def test_what_is_not_there_is_said(shell: Shell) -> None:
    assert shell.fails(Exit.REFUSED, "get", "run/none") == "ordain: run none does not exist\n"
    assert "does not exist" in shell.fails(Exit.REFUSED, "get", "sched/none", "-o", "yaml")
    assert shell.fails(Exit.REFUSED, "get", "model/none") == "ordain: there is no model/none\n"
    assert "project none does not exist" in shell.fails(Exit.REFUSED, "get", "deploy", "-n", "none")
    said = shell.fails(Exit.USAGE, "get", "secrets")
    assert "there is no kind `secrets`" in said
    assert "say which: KIND or KIND/NAME" in shell.fails(Exit.USAGE, "get", "run", "a", "b")


def test_nothing_of_an_intent_reaches_the_terminal_as_a_command(shell: Shell) -> None:
    body = intent(RUN, {"template": "train@1.0.0", "parameters": {"rounds": 3}})
    said = shell.fails(Exit.REFUSED, "diff", "run/first", "-f", "-", given="# \x1b[32m \u202e\n".encode() + body)
    assert "+# \ufffd[32m \ufffd\n" in said
