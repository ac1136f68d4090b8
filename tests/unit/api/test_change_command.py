"""`ordain change`, as a person calls it, against the API on a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api.client import Asking, Client, Write
from api.main import main
from tests.fixtures.approvals import APPROVER, BLUE, DEPLOY_SPEC, SECOND_SPEC, approved_specs
from tests.fixtures.served_world import ServedWorld, served
from tests.fixtures.trees import DEPLOYMENT, GLOBEX, RUN, TRAIN, small_specs
from tests.fixtures.write_world import ADMIN, PLATFORM_HOST, write_world
from tests.support.repositories import DEVELOPER, intent

ANN = APPROVER.user
EVIL = "Deploy \x1b[31mred\x1b[0m \u202e [bold]"
NOW, WHEN_APPROVED = Asking(), Asking(merge_when_approved=True)


@dataclass
class Terminal:
    """The command line, and the platform that it asks."""

    served: ServedWorld

    @property
    def head(self) -> str:
        return self.served.world.head

    def client(self) -> Client:
        return Client(self.served.url())

    def run(self, *words: str, who: str = DEVELOPER) -> Result:
        """Run `ordain change`."""
        place = ("--server", self.served.url(who, PLATFORM_HOST), "--tenant", "acme")
        return CliRunner().invoke(main, ("change", words[0], *place, *words[1:]))

    def says(self, *words: str, who: str = DEVELOPER) -> str:
        """Return what it prints; no line but a command to be copied is wider than a terminal."""
        done = self.run(*words, who=who)
        assert done.exit_code == 0, done.output
        lines = [line for line in done.output.splitlines() if "ordain change " not in line]
        assert max(map(len, lines), default=0) <= 80, done.output
        return done.output

    def open(self, path: str = BLUE, subject: str = "Deploy blue", asking: Asking = NOW) -> str:
        spec = DEPLOY_SPEC if path == BLUE else SECOND_SPEC
        with self.client() as client:
            written = client.intents.change([Write(path, intent(path, spec).decode())], subject, asking=asking)
        assert written.change
        return written.change


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    specs = {path: spec for path, spec in approved_specs().items() if path not in {RUN, TRAIN, GLOBEX}}
    with served(write_world(tmp_path, specs)) as world:
        yield Terminal(world)


def facts(output: str) -> list[str]:
    """Return the lines with one blank between words."""
    return [" ".join(line.split()) for line in output.splitlines()]


def digest_in(output: str) -> str:
    return next(line.split()[1] for line in output.splitlines() if line.startswith("  plan"))


def test_from_the_list_to_main(terminal: Terminal) -> None:
    change = terminal.open()
    (heading, row) = (terminal.says("list")).splitlines()
    assert heading.split() == ["id", "state", "opened", "author", "subject"]
    assert row.split()[:2] == [change, "open"]
    assert row.endswith(f"{DEVELOPER}  Deploy blue")
    shown = terminal.says("show", change, who=ANN)
    assert f"Change {change}  open" in shown
    assert {"approvals 0 of 1", f"ask group acme-leads, {ANN}", f"author {DEVELOPER}"} <= set(facts(shown))
    assert "Plan: intents: 1 added" in shown
    assert f"ordain change approve {change} --plan {digest_in(shown)}" in shown
    approved = terminal.says("approve", change, "--plan", digest_in(shown), who=ANN)
    place = f"-t acme --server {terminal.served.url(ANN, PLATFORM_HOST)}"
    assert approved == f"approved; merge it: ordain change merge {change} {place}\n"
    assert "open, 1 approval" in terminal.says("list")
    approved = terminal.says("show", change)
    assert {"approvals 1 of 1", ANN} <= set(facts(approved))
    assert terminal.says("merge", change) == f"merged as commit {terminal.head}\n"
    assert terminal.says("list") == "no changes (open)\n"
    ended = terminal.says("show", change)
    assert f"Change {change}  merged" in ended
    assert f"approved by {ANN}" in facts(ended)
    assert "+kind: ModelDeployment" in ended


def test_merged_with_the_last_approval(terminal: Terminal) -> None:
    change = terminal.open(asking=WHEN_APPROVED)
    shown = terminal.says("show", change, "--diff")
    assert "merged with the last approval" in facts(shown)
    assert "+kind: ModelDeployment" in shown
    said = terminal.says("approve", change, "--plan", digest_in(shown), who=ANN)
    assert said == f"approved; merged as commit {terminal.head}\n"


def test_what_is_refused_is_said_and_ends_with_1(terminal: Terminal) -> None:
    change = terminal.open()
    digest = digest_in(terminal.says("show", change))
    own = terminal.run("approve", change, "--plan", digest)
    assert own.exit_code == 1
    assert "another person must" in own.output
    early = terminal.run("merge", change)
    assert early.exit_code == 1
    assert "1 approval is missing" in early.output
    assert f"ask group acme-leads, {ANN}" in early.output
    other = terminal.run("approve", change, "--plan", "0" * 12, who=ANN)
    assert (other.exit_code, "look at it again" in other.output) == (1, True)
    short = terminal.run("approve", change, "--plan", digest[:4], who=ANN)
    assert short.exit_code == 1
    unnamed = terminal.run("approve", change, who=ANN)
    assert (unnamed.exit_code, "name the plan that was read" in unnamed.output) == (2, True)
    unknown = terminal.run("show", "0000000000")
    assert (unknown.exit_code, "does not exist" in unknown.output) == (1, True)


def test_a_conflict_is_shown_with_both_versions(terminal: Terminal) -> None:
    change, first = terminal.open(DEPLOYMENT), terminal.open(DEPLOYMENT, asking=WHEN_APPROVED)
    theirs = {**small_specs()[DEPLOYMENT], "endpoint": {"timeout": "9s"}}
    with terminal.client() as client:
        client.intents.put(DEPLOYMENT, intent(DEPLOYMENT, theirs), asking=Asking(change=first))
    digest = digest_in(terminal.says("show", first))
    terminal.says("approve", first, "--plan", digest, who=ANN)
    shown = terminal.says("show", change)
    assert "main moved: " in shown
    assert "-    timeout: 9s\n" in shown


def test_closing_and_lists_of_what_ended(terminal: Terminal) -> None:
    change = terminal.open(subject=EVIL)
    assert terminal.says("close", change, who=ANN) == "closed\n"
    listed = terminal.says("list", "--state", "any", "--author", DEVELOPER, "--project", "fraud")
    assert change in listed
    assert f"closed by {ANN}" in facts(terminal.says("show", change))
    for output in (listed, terminal.says("show", change)):
        assert "\x1b" not in output
        assert "\u202e" not in output
        assert "[bold]" in output
    again = terminal.run("close", change)
    assert (again.exit_code, "is closed by" in again.output) == (1, True)


def test_programs_get_json(terminal: Terminal) -> None:
    change = terminal.open()
    assert json.loads((terminal.run("show", change, "--json")).output)["id"] == change
    listed = terminal.run("list", "--json", "--limit", "1")
    assert [each["id"] for each in json.loads(listed.output)["items"]] == [change]
    assert "more than" not in terminal.says("list", "--limit", "1")
    terminal.open(DEPLOYMENT)
    assert "more than 1: --limit shows more" in terminal.says("list", "--limit", "1")


def test_the_platform_itself_has_changes_too(terminal: Terminal) -> None:
    done = CliRunner().invoke(main, ("change", "list", "--server", terminal.served.url(ADMIN, PLATFORM_HOST)))
    assert done.output == "no changes (open) of the platform; a tenant's are listed by -t\n"
    done = CliRunner().invoke(main, ("change", "list", "--server", terminal.served.url(DEVELOPER, PLATFORM_HOST)))
    assert (done.exit_code, "which tenant? say it by -t TENANT" in done.output) == (2, True)
