"""`ordain apply`, `delete`, `history`, `diff` and `revert`, as people call them, against the API on a real socket."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.cli.refusals import Exit
from tests.fixtures.approvals import BLUE, DEPLOY_SPEC, approved_specs
from tests.fixtures.served_world import ServedWorld, served
from tests.fixtures.shell import Shell
from tests.fixtures.trees import ACME, DEPLOYMENT, GLOBEX, MODEL_1, ROLLOUT, RUN, TRAIN, small_specs
from tests.fixtures.write_world import ADMIN, LEAD, PLATFORM_HOST, VIEWER, write_world
from tests.support.repositories import DEVELOPER, STRANGER, intent

SPEC = {"template": "train@1.0.0", "parameters": {"rounds": 3}}
BODY = intent(RUN, SPEC)
CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ServedWorld]:
    specs = small_specs()
    with served(write_world(tmp_path, {path: specs[path] for path in (DEPLOYMENT, ROLLOUT, MODEL_1)})) as found:
        yield found


@pytest.fixture
def shell(world: ServedWorld) -> Shell:
    return Shell(world)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "first.yaml"
    found.write_bytes(BODY)
    return found


def edited(shell: Shell, file: Path, old: str, new: str, what: str = "deploy/scoring") -> Path:
    """Return a file with an intent as it is there, edited."""
    text = shell.says("get", what, "-o", "yaml")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    return file


def test_an_intent_from_a_file_is_planned_committed_and_left_alone_where_nothing_changes(
    shell: Shell, file: Path
) -> None:
    planned = shell.says("apply", "run/first", "-f", str(file), "--dry-run")
    assert planned.startswith("Plan: intents: 1 added")
    assert planned.endswith("\nNothing was written.\n")
    head = shell.served.world.head
    said = shell.says("apply", "run/first", "-f", str(file))
    assert said == f"run/first created in {shell.served.world.head[:12]}\n"
    assert shell.served.world.head != head
    head = shell.served.world.head
    assert shell.says("apply", "run", "first", "-f", str(file)) == "run/first unchanged\n"
    assert shell.says("apply", "run/first", "-f", str(file), "--dry-run") == "run/first unchanged\n"
    assert shell.says("apply", "run/first", "-f", "-", given=BODY) == "run/first unchanged\n"
    assert shell.served.world.head == head, "nothing was committed"
    cancelled = intent(RUN, {**SPEC, "desired": "Cancelled"})
    assert shell.says("apply", "run/first", "-f", "-", given=cancelled).startswith("run/first changed in ")


def test_an_intent_may_be_given_as_json(shell: Shell) -> None:
    document = {"apiVersion": "ordain.dev/v1alpha1", "kind": "Run", "spec": SPEC}
    shell.says("apply", "run/first", "-f", "-", given=json.dumps(document).encode())
    assert json.loads(shell.says("get", "run/first", "-o", "json"))["document"]["spec"] == SPEC
    wrong = json.dumps({**document, "spec": {**SPEC, "tires": 3}}).encode()
    said = shell.fails(Exit.REFUSED, "apply", "run/second", "-f", "-", given=wrong)
    assert said.startswith("standard input spec.tires: error[unknown-field]: ")


def test_problems_are_shown_at_the_lines_of_the_file(shell: Shell, file: Path) -> None:
    file.write_bytes(BODY.replace(b"train@1.0.0", b"tain@1.0.0"))
    for more in ((), ("--dry-run",)):
        said = shell.fails(Exit.REFUSED, "apply", "run/first", "-f", str(file), *more).splitlines()
        number = said[1].split()[0]
        assert said[0].startswith(f"{file}:{number}:")
        assert "error[unknown-template]: there is no template tain@1.0.0" in said[0]
        assert said[1].endswith("| " + file.read_text(encoding="utf-8").splitlines()[int(number) - 1])
        assert said[2].index("^") == said[1].index("tain@1.0.0")
        assert said[3] == "  hint: did you mean `train@1.0.0`?"
        assert said[-1] == "ordain: refused for 1 problem; nothing was written"
    edited(shell, file, "max: 3", "max: many")
    many = shell.fails(Exit.REFUSED, "apply", "deploy/scoring", "-f", str(file))
    (place,) = re.findall(rf"{re.escape(str(file))}:(\d+):", many)
    assert "max: many" in file.read_text(encoding="utf-8").splitlines()[int(place) - 1], "its first line is counted"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("apply", "-f", "FILE"), "say which: KIND/NAME; an intent in a file carries no name"),
        (("apply", "run/a", "-f", "FOLDER"), "the paths in a folder are the names: leave KIND/NAME out"),
        (("apply", "run/UP", "-f", "FILE"), "UP"),
        (("apply", "model/a@1", "-f", "FILE"), "model/a@1 is written by the model registry alone"),
        (("apply", "tmpl/a", "-f", "FILE"), "which version of template/a? write template/a@VERSION"),
        (("apply", "rum/a", "-f", "FILE"), "there is no kind `rum`: did you mean `run`?"),
        (("apply", "run/a", "-f", "absent"), "'absent' does not exist"),
        (("delete", "rollout/scoring"), "rollout/scoring is written by the rollout controller alone"),
        (("delete", "template/train"), "which version of template/train?"),
        (("get", "model/A"), "A"),
        (("diff", "run/a", "-f", "FILE", "--from", "abcd"), "leave --from and --to out"),
        (("diff", "run/a", "-f", "FOLDER"), "leave KIND/NAME out"),
        (("revert", "deploy/scoring", "--to", "yesterday"), "`yesterday` is no commit"),
        (("get", "run", "--server", "acme"), "`acme` is no address of a platform: write it as https://HOST"),
        (("get", "run", "--as", "ann@acme.example"), "leave --server out"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(shell: Shell, file: Path, words: tuple[str, ...], said: str) -> None:
    places = {"FILE": str(file), "FOLDER": str(file.parent)}
    assert said in shell.fails(Exit.USAGE, *(places.get(word, word) for word in words))


def test_what_is_no_document_is_told_in_a_line(shell: Shell, file: Path) -> None:
    said = shell.fails(Exit.USAGE, "apply", "run/a", "-f", "-", given=b"kind: \xff")
    assert said == "Error: standard input is no UTF-8: byte 6 is 0xff\n"


def test_a_stale_edit_is_told_with_what_both_changed_and_what_to_do(shell: Shell, tmp_path: Path) -> None:
    lead = Shell(shell.served, LEAD)
    mine = edited(shell, tmp_path / "mine.yaml", "max: 3", "max: 7")
    theirs = edited(lead, tmp_path / "theirs.yaml", "max: 3", "max: 5")
    theirs.write_text(theirs.read_text(encoding="utf-8").replace("timeout: 5s", "timeout: 9s"), encoding="utf-8")
    lead.says("apply", "deploy/scoring", "-f", str(theirs))
    head = shell.served.world.head
    for more in ((), ("--dry-run",)):
        said = shell.fails(Exit.CONFLICT, "apply", "deploy/scoring", "-f", str(mine), *more)
        assert said.startswith("conflict: deployment/scoring changed since you read it; nothing was written\n")
        assert re.search(rf"{head[:12]}  \d+s  {LEAD}  Change ModelDeployment", said)
        assert '    spec.endpoint.timeout: "5s" → "9s"\n' in said
        assert said.count("  ! spec.versions[v1].replicas.max: 3 → ") == 2
        assert "  ordain get deployment/scoring -o yaml > FILE\n" in said
        assert f"or overwrite it: remove the first line of {mine}" in said
    again = edited(shell, tmp_path / "again.yaml", "max: 5", "max: 7")
    shell.says("apply", "deploy/scoring", "-f", str(again))
    there = shell.says("get", "deploy/scoring", "-o", "yaml")
    assert "max: 7" in there
    assert "timeout: 9s" in there
    mine.write_text("".join(mine.read_text(encoding="utf-8").splitlines(keepends=True)[1:]), encoding="utf-8")
    shell.says("apply", "deploy/scoring", "-f", str(mine))
    assert "timeout: 5s" in shell.says("get", "deploy/scoring", "-o", "yaml"), "overwritten, as was asked"


def test_an_edit_of_what_is_gone_is_a_conflict(shell: Shell, tmp_path: Path) -> None:
    mine = edited(shell, tmp_path / "mine.yaml", "max: 3", "max: 7")
    shell.says("delete", "deploy/scoring")
    said = shell.fails(Exit.CONFLICT, "apply", "deploy/scoring", "-f", str(mine))
    assert "deployment/scoring is gone since you read it" in said
    assert f"{DEVELOPER}  Remove ModelDeployment" in said
    assert "`ordain history deployment/scoring` has who removed it" in said


def test_a_deployment_goes_with_its_rollout_and_comes_back(shell: Shell) -> None:
    planned = shell.says("delete", "deploy/scoring", "--dry-run")
    assert "intents: 2 removed" in planned
    assert shell.says("delete", "deploy", "scoring").startswith("deployment/scoring deleted in ")
    assert "does not exist" in shell.fails(Exit.REFUSED, "delete", "deploy/scoring")
    assert shell.says("revert", "deploy/scoring", "--dry-run").startswith("Plan: intents: 1 added")
    assert "deployment/scoring reverted to " in shell.says("revert", "deploy/scoring")
    rows = [line.split(None, 3) for line in shell.says("history", "deploy/scoring").splitlines()]
    assert rows[0] == ["COMMIT", "AGE", "BY", "SUBJECT"]
    assert [row[2:] for row in rows[1:3]] == [
        [DEVELOPER, "Add ModelDeployment acme/fraud/scoring"],
        [DEVELOPER, "Remove ModelDeployment acme/fraud/scoring"],
    ]


def test_versions_are_listed_compared_and_brought_back(shell: Shell, tmp_path: Path) -> None:
    shell.says("apply", "deploy/scoring", "-f", str(edited(shell, tmp_path / "a", "max: 3", "max: 5")))
    shell.says("apply", "deploy/scoring", "-f", str(edited(shell, tmp_path / "b", "max: 5", "max: 7")))
    items = json.loads(shell.says("history", "deploy/scoring", "-o", "json"))["items"]
    newest, older, first = [each["commit"] for each in items]
    changed = shell.fails(Exit.REFUSED, "diff", "deploy/scoring")
    assert re.search(r"\n- +max: 5\n\+ +max: 7\n", changed)
    assert changed.splitlines()[0].endswith(f"@{older[:12]}")
    assert "max: 3" in shell.fails(Exit.REFUSED, "diff", "deploy/scoring", "--to", older[:7])
    whole = shell.fails(Exit.REFUSED, "diff", "deploy/scoring", "--from", first)
    assert (whole.count("max: 3"), whole.count("max: 7")) == (1, 1)
    assert shell.says("diff", "deploy/scoring", "--from", newest, "--to", newest) == ""
    assert "has no older version" in shell.fails(Exit.USAGE, "diff", "deploy/scoring", "--to", first)
    assert "begins with 0000" in shell.fails(Exit.REFUSED, "revert", "deploy/scoring", "--to", "0000")
    assert shell.says("revert", "deploy/scoring", "--to", newest[:8]).startswith("deployment/scoring unchanged: it is")
    assert f"reverted to {first[:12]} in " in shell.says("revert", "deploy/scoring", "--to", first[:8])
    assert "max: 3" in shell.says("get", "deploy/scoring", "-o", "yaml")


def test_a_file_is_compared_with_what_is_there(shell: Shell, tmp_path: Path) -> None:
    mine = edited(shell, tmp_path / "mine.yaml", "max: 3", "max: 7")
    said = shell.fails(Exit.REFUSED, "diff", "deploy/scoring", "-f", str(mine))
    assert said.startswith(f"--- {DEPLOYMENT}@")
    assert f"\n+++ {mine}\n" in said
    assert re.search(r"\n- +max: 3\n\+ +max: 7\n", said)
    assert "+++ standard input\n" in shell.fails(Exit.REFUSED, "diff", "run/new", "-f", "-", given=BODY)
    shell.says("apply", "deploy/scoring", "-f", str(mine))
    assert shell.says("diff", "deploy/scoring", "-f", str(mine)) == ""


def laid_out(root: Path, files: dict[str, bytes]) -> Path:
    for path, body in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(body)
    return root


def test_a_folder_is_applied_whole_or_not_at_all(shell: Shell, tmp_path: Path) -> None:
    second = RUN.replace("first", "second")
    specs = small_specs()
    other = {path: intent(path, specs[path]) for path in (GLOBEX, MODEL_1, DEPLOYMENT)}
    root = laid_out(tmp_path / "intents", {**other, RUN: BODY, second: BODY + b"  tries: none\n", "README.md": b"#"})
    said = shell.fails(Exit.REFUSED, "apply", "-f", str(root))
    assert "left out: 1 of another tenant or project, or of the platform\n" in said
    assert "left out: 1 that the platform writes itself (models, rollouts)\n" in said
    assert f"{root / second}:" in said
    assert "does not exist" in shell.fails(Exit.REFUSED, "get", "run/first"), "neither was written"
    (root / second).write_bytes(BODY)
    assert "Plan: intents: 2 added" in shell.says("apply", "-f", str(root), "--dry-run")
    assert f"+++ {root / second}\n" in shell.fails(Exit.REFUSED, "diff", "-f", str(root))
    said = shell.says("apply", "-f", str(root))
    head = shell.served.world.head
    assert "run/first to be created\nrun/second to be created\n" in said
    assert said.endswith(f"2 changed, 1 unchanged; written in {head[:12]}\n")
    assert shell.says("apply", "-f", str(root)).endswith("3 unchanged\n")
    assert shell.served.world.head == head
    assert shell.says("diff", "-f", str(root)) == ""


def test_a_folder_of_nobody_is_no_folder_of_intents(shell: Shell, tmp_path: Path) -> None:
    said = shell.fails(Exit.USAGE, "apply", "-f", str(laid_out(tmp_path / "a", {"notes.txt": b""})))
    assert "holds no intent of tenant acme: give a folder laid out as the repository" in said
    root = laid_out(tmp_path / "b", {GLOBEX: b""})
    assert "it has some of globex: say whose by -t" in shell.fails(Exit.USAGE, "apply", "-f", str(root))


def test_platform_admins_apply_a_folder_with_templates_and_their_packages(world: ServedWorld, tmp_path: Path) -> None:
    root, admin = tmp_path / "intents", Shell(world, ADMIN, PLATFORM_HOST)
    shutil.copytree(CHECKOUT / "templates" / "hello", root / "templates" / "hello")
    laid_out(root, {ACME: intent(ACME, small_specs()[ACME])})
    said = admin.says("apply", "-f", str(root))
    assert "template/hello@1.0.0 to be created\n" in said
    assert "templates/hello/1.0.0/pipeline.yaml to be" in said
    assert admin.says("apply", "-f", str(root)) == "2 unchanged\n"


def test_who_may_not_is_told_why(shell: Shell, file: Path) -> None:
    viewer, stranger = Shell(shell.served, VIEWER), Shell(shell.served, STRANGER)
    said = viewer.fails(Exit.REFUSED, "apply", "run/first", "-f", str(file))
    assert f"{VIEWER} may not change this" in said
    assert stranger.fails(Exit.REFUSED, "get", "runs") == f"ordain: {STRANGER} is no member of acme\n"
    outside = Shell(shell.served, STRANGER, PLATFORM_HOST)
    assert "which tenant? say it by -t TENANT" in outside.fails(Exit.USAGE, "get", "runs")
    said = outside.fails(Exit.USAGE, "get", "cluster/local", "-t", "globex")
    assert "it lies outside all tenants: only platform admins see it" in said
    nobody = Shell(shell.served, "")
    assert "nobody is signed in" in nobody.fails(Exit.REFUSED, "get", "runs")
    assert "hint: say who you are by a token, in ORDAIN_TOKEN" in nobody.fails(Exit.REFUSED, "get", "runs")


def test_where_others_must_approve_a_change_is_opened(tmp_path: Path) -> None:
    specs = {path: spec for path, spec in approved_specs().items() if path not in {RUN, TRAIN, GLOBEX}}
    with served(write_world(tmp_path / "world", specs)) as world:
        shell, file = Shell(world, host=PLATFORM_HOST), tmp_path / "blue.yaml"
        file.write_bytes(intent(BLUE, DEPLOY_SPEC))
        planned = shell.says("apply", "deploy/blue", "-f", str(file), "--dry-run", "-t", "acme")
        assert "It would wait as a change for 1 approval by others.\n" in planned
        said = shell.says("apply", "deploy/blue", "-f", str(file), "-t", "acme")
        (command,) = re.findall("deployment/blue waits for approval: `ordain (.*)`\n", said)
        assert "approvals" in shell.says(*command.split()), "it can be typed as it stands"


def test_what_is_durable_and_not_committed_is_told_apart(tmp_path: Path, file: Path) -> None:
    with served(write_world(tmp_path / "world"), writing=False) as world:
        said = Shell(world, host=PLATFORM_HOST).says("apply", "run/first", "-f", str(file), "--no-wait", "-t", "acme")
        assert re.fullmatch(r"run/first is asked for by request [0-9a-f-]{36}\n", said)


def test_a_lost_answer_is_asked_for_again_and_the_write_is_done_once(shell: Shell, file: Path) -> None:
    shell.served.edges[DEVELOPER].to_lose = 1
    said = shell.says("apply", "run/first", "-f", str(file))
    assert "asking again for up to 30 s" in said
    assert said.endswith(f"run/first created in {shell.served.world.head[:12]}\n")
    assert len(shell.says("history", "run/first").splitlines()) == 2
