"""Two people at two shells, one with curl and one with `ordain`, write the same intents and different ones.

Lea is whom the edge names; Ana is a member of acme by her group, and speaks on the platform's own machine.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.cli.refusals import Exit
from tests.e2e.harness import BASE_DOMAIN, CHECKOUT, COMMAND_SECONDS, ORDAIN, RunningPlatform

pytestmark = [
    pytest.mark.parts,
    pytest.mark.skipif(shutil.which("curl") is None, reason="no curl, which one of the two uses"),
]

LEA, ANA = "local@localhost", "ana@acme.example"
FOLDER = "tenants/acme/projects/fraud/runs/2026-11-23"
RUN = "apiVersion: ordain.dev/v1alpha1\nkind: Run\nmetadata:\n  labels: {who: nobody}\nspec:\n  template: hello@1.0.0\n"


@dataclass(frozen=True)
class Answer:
    """What curl was answered."""

    status: int
    etag: str
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Curl:
    """Lea's shell."""

    platform: RunningPlatform

    def start(self, method: str, path: str, body: str = "", **headers: str) -> subprocess.Popen[str]:
        """Begin a request; `_` in a header's name stands for `-`."""
        url = f"{self.platform.address}/api/v1{path}"
        named = {"Host": f"acme.{BASE_DOMAIN}", "Content-Type": "application/yaml"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        words = ["curl", "-sS", "-X", method, url, "-w", "\n%{http_code} %header{etag}"]
        words += [word for name, value in named.items() for word in ("-H", f"{name}: {value}")]
        words += ["--data-binary", body] if body else []
        return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    def ends(self, process: subprocess.Popen[str]) -> Answer:
        text, _ = process.communicate(timeout=COMMAND_SECONDS)
        body, _, last = text.rpartition("\n")
        status, _, etag = last.partition(" ")
        return Answer(int(status), etag, body)

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> Answer:
        return self.ends(self.start(method, path, body, **headers))

    def put(self, name: str, body: str, **headers: str) -> Answer:
        return self.ask("PUT", f"/intents/{FOLDER}/{name}.yaml?wait=30", body, **headers)

    def get(self, name: str) -> Answer:
        return self.ask("GET", f"/intents/{FOLDER}/{name}.yaml", Accept="application/yaml")


@dataclass(frozen=True)
class Terminal:
    """Ana's shell."""

    platform: RunningPlatform
    folder: Path

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Begin a command."""
        asked = (*ORDAIN, *words, "-t", "acme", "--as", f"{ANA},acme-ml", "--root", str(self.platform.root))
        return subprocess.Popen(asked, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def ends(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        text, _ = process.communicate(timeout=COMMAND_SECONDS)
        return process.returncode, text

    def run(self, *words: str, code: int = 0) -> str:
        """Run a command that ends with `code`, and return what it said."""
        ended, said = self.ends(self.start(*words))
        assert ended == code, said
        return said

    def file(self, name: str, text: str) -> str:
        found = self.folder / name
        found.write_text(text, encoding="utf-8")
        return str(found)

    def edited(self, name: str, who: str) -> str:
        """Return a file with a run as it is there, under another label."""
        text = self.run("get", f"run/{name}", "-o", "yaml")
        return self.file(f"{name}.yaml", re.sub("who: [a-z]+", f"who: {who}", text))


@pytest.fixture
def lea(platform: RunningPlatform) -> Curl:
    return Curl(platform)


@pytest.fixture
def ana(platform: RunningPlatform, tmp_path: Path) -> Terminal:
    return Terminal(platform, tmp_path)


def head(platform: RunningPlatform) -> str:
    return platform.repository.commit("main").hexsha


def subjects_since(platform: RunningPlatform, commit: str) -> list[str]:
    """Return what main got since, each commit with one parent."""
    found = list(platform.repository.iter_commits(f"{commit}..main"))
    assert all(len(each.parents) == 1 for each in found)
    return sorted(str(each.summary) for each in found)


def test_a_second_edit_is_told_of_the_first(platform: RunningPlatform, lea: Curl, ana: Terminal) -> None:
    made = lea.put("shared", RUN, If_None_Match="*")
    assert made.status == httpx.codes.CREATED
    mine, read = ana.edited("shared", "ana"), lea.get("shared")
    assert (read.text, read.etag) == (RUN, made.etag)

    theirs = lea.put("shared", RUN.replace("nobody", "lea"), If_Match=read.etag)
    assert theirs.status == httpx.codes.OK
    said = ana.run("apply", "run/shared", "-f", mine, code=Exit.CONFLICT)
    assert said.startswith("conflict: run/shared changed since you read it; nothing was written\n")
    assert re.search(rf"\n  {theirs.body['commit'][:12]}  \d+s  {LEA}  Change Run acme/fraud/shared\n", said)
    assert '\n  ! metadata.labels.who: "nobody" → "lea"\n' in said
    assert '\n  ! metadata.labels.who: "nobody" → "ana"\n' in said
    assert head(platform) == theirs.body["commit"], "nothing was written"
    (again,) = re.findall(r"ordain (get .*) > FILE", said)
    assert ana.run(*again.split()[:4]).endswith(lea.get("shared").text), "as the hint says"

    stale = lea.get("shared")
    ana.run("apply", "run/shared", "-f", ana.edited("shared", "ana"))
    late = lea.put("shared", RUN.replace("nobody", "lea again"), If_Match=stale.etag)
    assert (late.status, late.body["code"]) == (httpx.codes.CONFLICT, "conflict")
    (conflict,) = late.body["conflicts"]
    assert f'"{conflict["base"]}"' == stale.etag
    assert "lea again" in conflict["yours"]["content"]
    assert conflict["theirs"]["content"] == RUN.replace("nobody", "ana")
    assert lea.put("shared", conflict["yours"]["content"], If_Match=f'"{conflict["theirs"]["blob"]}"').status == 200


def test_different_intents_never_wait_for_each_other(platform: RunningPlatform, lea: Curl, ana: Terminal) -> None:
    before, names = head(platform), [f"apart-{number}" for number in range(5)]
    file = ana.file("run.yaml", RUN)
    writing = [lea.start("PUT", f"/intents/{FOLDER}/lea-{name}.yaml?wait=30", RUN) for name in names]
    committing = ana.start("apply", "run/ana-apart", "-f", file)
    assert {lea.ends(each).status for each in writing} == {httpx.codes.CREATED}
    code, said = ana.ends(committing)
    assert (code, said.startswith("run/ana-apart created in ")) == (0, True), said
    asked = [f"Add Run acme/fraud/lea-{name}" for name in names]
    assert subjects_since(platform, before) == ["Add Run acme/fraud/ana-apart", *asked]
    listed = lea.ask("GET", "/intents?kind=Run&label=who=nobody&limit=500").body["items"]
    assert {each["name"]: each["author"] for each in listed if each["name"].endswith("apart")} == {"ana-apart": ANA}


def test_nothing_is_committed_where_nothing_changes(platform: RunningPlatform, lea: Curl, ana: Terminal) -> None:
    assert lea.put("same", RUN).status == httpx.codes.CREATED
    before, file = head(platform), ana.file("same.yaml", RUN)
    assert ana.run("apply", "run/same", "-f", file) == "run/same unchanged\n"
    assert ana.run("apply", "run/same", "-f", file, "--dry-run") == "run/same unchanged\n"
    assert ana.run("diff", "run/same", "-f", file) == ""
    assert head(platform) == before


def test_a_key_that_is_sent_again_gets_the_same_answer(platform: RunningPlatform, lea: Curl, ana: Terminal) -> None:
    first = lea.put("keyed", RUN, Idempotency_Key="keyed-1")
    ana.run("apply", "run/keyed", "-f", ana.edited("keyed", "ana"))
    before = head(platform)
    again = lea.put("keyed", RUN, Idempotency_Key="keyed-1")
    assert (again.status, again.body) == (first.status, first.body), "and Ana's edit stays"
    other = lea.put("keyed", RUN.replace("nobody", "lea"), Idempotency_Key="keyed-1")
    assert (other.status, other.body["code"]) == (httpx.codes.CONFLICT, "idempotency-key-reused")
    assert head(platform) == before
    assert "who: ana" in lea.get("keyed").text
    rows = [line.split(maxsplit=3) for line in ana.run("history", "run/keyed").splitlines()[1:]]
    assert [row[2:] for row in rows] == [[ANA, "Change Run acme/fraud/keyed"], [LEA, "Add Run acme/fraud/keyed"]]


def test_what_one_removed_the_other_does_not_bring_back_unknowingly(lea: Curl, ana: Terminal) -> None:
    lea.put("gone", RUN.replace("hello@1.0.0", "hello@1.0.0\n  desired: Cancelled"))
    mine, read = ana.edited("gone", "ana"), lea.get("gone")
    lea.platform.tenant("acme").finished("gone")
    removed = lea.ask("DELETE", f"/intents/{FOLDER}/gone.yaml?wait=30", If_Match=read.etag)
    assert removed.status == httpx.codes.OK, removed.text
    said = ana.run("apply", "run/gone", "-f", mine, code=Exit.CONFLICT)
    assert said.startswith("conflict: run/gone is gone since you read it; nothing was written\n")
    assert "has who removed it" in said
