"""The KFP double answers what a real server answered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.kfp_double import KfpDouble
from tests.support.kfp_objects import Workflow
from tests.support.kfp_server import Router
from tests.support.kfp_wire import Answer, Refusal

CAPTURES = Path(__file__).parents[2] / "fixtures" / "kfp" / "captures.jsonl"
SPEC = {
    "components": {"comp-say": {"executorLabel": "exec-say"}},
    "deploymentSpec": {"executors": {"exec-say": {"container": {"image": "lab.invalid/say:1"}}}},
    "pipelineInfo": {"name": "trivial"},
    "root": {"dag": {"tasks": {"say": {"componentRef": {"name": "comp-say"}}}}},
    "schemaVersion": "2.1.0",
}
PENDING, GONE, ARCHIVED = (
    "bc6ae2da-b5c1-47ad-8069-d746b6110343",
    "e8012f2d-51ae-4a37-8c05-80966b9d1d8d",
    "9dd8daa7-1aaa-408c-bc7c-02c70c23d8f3",
)
FAILED, SUCCEEDED = "83432753-4fee-4110-b067-abc569303b3c", "d9a6f5fa-cbea-48b0-8f19-7fb49de00999"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
GENERATED = re.compile(rf"{UUID}|(?<=trivial-)[a-z0-9]{{5}}|(?<=CAPS-)[a-z0-9]{{5}}|(?<=line )1:[0-9]+")
"""What is another each time: ids, the ends of generated names, places in a body."""


def captures() -> Iterator[dict[str, Any]]:
    with CAPTURES.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def ask(double: KfpDouble, method: str, path: str, query: Mapping[str, str], body: Any) -> Answer:
    # Bad JSON was captured as the text it is.
    text = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    try:
        return Router(double, dict(query), text).answer(method, path.strip("/").split("/"), {})
    except Refusal as refusal:
        return refusal.answer


def create(double: KfpDouble, run_id: str) -> Workflow:
    double.create_run({"run_id": run_id, "display_name": "life", "pipeline_spec": SPEC})
    return double.workflows["kubeflow", double.rows[run_id].workflow]


def finish(double: KfpDouble, run_id: str, state: str) -> None:
    workflow = create(double, run_id)
    workflow.state = state
    double._report(workflow)


def prepare(double: KfpDouble, name: str) -> None:
    """Make what was there before a call, and was not captured."""
    match name:
        case "020-once-run-id-label-ok":
            create(double, "once-race")
        case "083-run-get-pending":
            create(double, PENDING)
        case "098-run-terminate-workflow-gone":
            workflow = create(double, GONE)
            del double.workflows[workflow.namespace, workflow.name]
        case "100-run-archive-pending":
            create(double, ARCHIVED)
        case "103-run-get-failed":
            finish(double, FAILED, "FAILED")
        case "107-run-get-succeeded":
            finish(double, SUCCEEDED, "SUCCEEDED")


def test_the_double_answers_as_a_real_server_did() -> None:
    double, ids, differing = KfpDouble(policy=False), dict[str, str](), []
    for capture in captures():
        prepare(double, capture["name"])
        text = json.dumps([capture["path"], capture["query"], capture["body"]])
        for captured, own in ids.items():
            text = text.replace(captured, own)
        answer = ask(double, capture["method"], *json.loads(text))
        learn(ids, capture["answer"], answer.body)
        if (told := compared(answer.status, answer.body)) != (kept := compared(capture["status"], capture["answer"])):
            differing.append(f"{capture['name']}: {told} instead of {kept}")
    assert not differing, "\n".join(differing)


def learn(ids: dict[str, str], captured: Any, own: Mapping[str, Any]) -> None:
    """Note which id of ours stands for which of the captured server's."""
    for one, other in [
        (captured, own),
        *zip(captured.get("experiments", ()), own.get("experiments", ()), strict=False),
    ]:
        for key in ("experiment_id", "run_id", "next_page_token"):
            if one.get(key) and other.get(key):
                ids[one[key]] = other[key]


def compared(status: int, body: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what must be the same: status, texts of errors, names of fields, states."""
    message = str(body.get("message", "")).partition("\n")[0]
    details = [str(each["message"]).partition("\n")[0] for each in body.get("details", ())]
    # An invalid Workflow is told with all of Kubernetes' rules; how it begins is enough.
    texts = [GENERATED.sub("…", text).partition("is invalid")[0] for text in (message, *details)]
    listed = len(body.get("runs", body.get("experiments", ())))
    optional = {"runtime_config", "run_details", "total_size", "next_page_token"}
    return (
        status,
        body.get("code"),
        body.get("state"),
        body.get("storage_state"),
        *texts,
        listed,
        *sorted(body.keys() - optional),
    )


@pytest.mark.parametrize("policy", [False, True])
def test_one_id_makes_a_second_workflow_unless_kubernetes_names_them(policy: bool) -> None:
    double = KfpDouble(policy=policy)
    create(double, PENDING)
    said = ask(double, "POST", "apis/v2beta1/runs", {}, {
        "run_id": PENDING, "display_name": "again", "pipeline_spec": SPEC,
    })  # fmt: skip
    assert said.status == 500
    assert ("already exists" if policy else "Duplicate entry") in said.body["message"]
    assert len(double.workflows) == (1 if policy else 2)
    assert double.doubled() == (set() if policy else {PENDING})


def test_a_workflow_without_a_row_is_taken_away_after_a_while() -> None:
    double = KfpDouble(grace_seconds=0)
    create(double, PENDING)
    del double.rows[PENDING]
    double.work()
    assert not double.workflows


def test_healthz_is_well_with_the_database_dead() -> None:
    double = KfpDouble(database_down=True, kubernetes_down=True)
    assert ask(double, "GET", "apis/v2beta1/healthz", {}, None).status == 200
    for path in ("apis/v2beta1/runs", f"apis/v2beta1/runs/{PENDING}"):
        assert ask(double, "GET", path, {}, None).body["code"] == 13
