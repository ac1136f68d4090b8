from __future__ import annotations

import pytest

from intents.checks import check
from intents.kinds import Kind, RunSpec
from intents.problems import MOST_PROBLEMS, InvalidIntent, Problem, Severity
from intents.reading import read
from intents.writing import blob_id, dump
from tests.fixtures.trees import ACME, CLUSTER, DEPLOYMENT, PLATFORM, RUN, document, small_specs, small_tree

GOOD = b"""\
# a comment
apiVersion: ordain.dev/v1alpha1
kind: Run
metadata:
  labels: {team: risk}
spec:
  template: train@1.0.0
  parameters: {rounds: 100, label: "no"}
  register: {model: fraud}
"""


def problems_of(body: bytes, path: str = RUN) -> tuple[Problem, ...]:
    with pytest.raises(InvalidIntent) as refused:
        read(path, body)
    return refused.value.problems


def test_a_document_holds_its_spec_and_its_name() -> None:
    document = read(RUN, GOOD, blob_id(GOOD))
    assert isinstance(document.spec, RunSpec)
    assert document.spec.parameters == {"rounds": 100, "label": "no"}
    assert document.spec.register_ is not None
    assert document.spec.attempt == 1
    assert document.identity.name == "first"
    assert document.labels == {"team": "risk"}
    assert document.blob == blob_id(GOOD)


def test_the_blob_id_is_gits() -> None:
    assert blob_id(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_every_problem_is_told_with_its_place() -> None:
    body = GOOD.replace(b"register: {model", b"register: {modl").replace(b"spec:", b"spec:\n  atempt: 2")
    found = [(each.code, each.line, each.column, each.field, each.hint) for each in problems_of(body)]
    assert found == [
        ("unknown-field", 7, 3, "spec.atempt", "did you mean `attempt`?"),
        ("missing-field", 10, 3, "spec.register.model", ""),
        ("unknown-field", 10, 14, "spec.register.modl", "did you mean `model`?"),
    ]


def test_an_unknown_field_without_a_near_one_lists_the_fields() -> None:
    (problem,) = problems_of(GOOD + b"  schedule: {}\n")
    assert problem.code == "unknown-field"
    assert problem.hint == "fields here: template, parameters, register, deadline, tries, desired, attempt"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("attempt: two", '`attempt` must be a whole number, not the text "two"'),
        ("attempt: 1.5", "`attempt` must be a whole number, not the number 1.5"),
        ("attempt: true", "`attempt` must be a whole number, not `true`"),
        ("attempt: '2'", '`attempt` must be a whole number, not the text "2"'),
        ("attempt: [1]", "`attempt` must be a whole number, not a list"),
        ("attempt:", "`attempt` must be a whole number, not nothing"),
    ],
)
def test_no_type_is_taken_for_another(line: str, wanted: str) -> None:
    (problem,) = problems_of(GOOD + f"  {line}\n".encode())
    assert (problem.code, problem.message, problem.line) == ("wrong-type", wanted, 10)


def test_python_names_of_fields_are_unknown() -> None:
    body = dump(Kind.PLATFORM, {**small_specs()[PLATFORM], "base_domain": "x"})
    assert [each.code for each in problems_of(body, PLATFORM)] == ["unknown-field"]


def test_a_yaml_problem_is_not_told_twice() -> None:
    (problem,) = problems_of(GOOD + b"  attempt: 0x10\n")
    assert problem.code == "ambiguous-scalar"
    assert problem.hint == 'quote it: "0x10"'


def test_a_list_or_a_word_is_no_intent() -> None:
    assert [each.code for each in problems_of(b"[]")] == ["wrong-type"]
    assert [each.code for each in problems_of(b"hello")] == ["wrong-type"]
    assert [each.code for each in problems_of(b"null")] == ["empty-document"]


def test_quantities_are_kept_in_canonical_form() -> None:
    spec = small_specs()[DEPLOYMENT]
    spec["versions"] = [{**spec["versions"][0], "resources": {"cpus": 0.5, "memory": "2048Mi"}}]
    text = dump(Kind.MODEL_DEPLOYMENT, read(DEPLOYMENT, dump(Kind.MODEL_DEPLOYMENT, spec)).spec).decode()
    assert "cpus: 500m" in text
    assert "memory: 2Gi" in text


def test_text_that_is_no_text_is_a_problem() -> None:
    with pytest.raises(InvalidIntent) as refused:
        dump(Kind.RUN, {"template": "\ud800"})
    assert refused.value.problems[0].code == "not-utf8"


def test_thousands_of_problems_are_told_at_once() -> None:
    """The bound of the test's time-out: composing the document anew for each would take minutes."""
    parameters: dict[str, object] = {f"unknown-{number}": number for number in range(8_000)}
    head = small_tree().advance({RUN: document(RUN, {"template": "train@1.0.0", "parameters": parameters})})
    last, *problems = check(small_tree(), head, [RUN])
    assert (last.code, last.severity) == ("more-problems", Severity.ERROR)
    assert len(problems) == MOST_PROBLEMS
    assert {each.code for each in problems} == {"immutable-field", "unknown-parameter"}
    assert problems[0].line < problems[-1].line


def test_of_very_many_problems_the_first_are_told() -> None:
    problems = problems_of(GOOD + b"".join(b"  unknown-%d: 1\n" % number for number in range(5_000)))
    assert len(problems) == MOST_PROBLEMS + 1
    assert {each.code for each in problems[:-1]} == {"unknown-field"}
    assert problems[-1].code == "more-problems"
    assert [each.line for each in problems[:-1]] == list(range(10, 10 + MOST_PROBLEMS))


def test_a_list_that_is_too_long_is_told_with_both_numbers() -> None:
    steps = [{"weight": 1}] * 51
    traffic = {"canary": {"stable": "v1", "candidate": "v2", "steps": steps}}
    body = dump(Kind.MODEL_DEPLOYMENT, {**small_specs()[DEPLOYMENT], "traffic": traffic})
    (problem,) = problems_of(body, DEPLOYMENT)
    assert problem.message == "`steps` has 51 entries; at most 50 are taken"


def test_a_key_that_is_wrong_is_told_by_its_name() -> None:
    pools = [{"type": "nvidia-l4", "count": 1, "nodeSelector": {"-pool": "gpu"}}]
    (problem,) = problems_of(dump(Kind.CLUSTER, {"driver": "local", "gpuPools": pools}), CLUSTER)
    assert problem.message.startswith("`-pool`: ")
    assert problem.line == 9


def test_an_item_is_told_with_its_list() -> None:
    (problem,) = problems_of(dump(Kind.TENANT, {**small_specs()[ACME], "hostnames": ["acme", "-"]}), ACME)
    assert problem.message.startswith("`hostnames.1`: ")


def test_a_problem_is_one_line_whatever_a_parser_says() -> None:
    told = document(RUN, small_specs()[RUN]).problem("invalid-package", "wrong here:\n  a: [\n     ^\nexpected `]`")
    assert told.message == "wrong here: a: [ ^ expected `]`"


def test_a_huge_name_does_not_make_a_huge_answer() -> None:
    (problem,) = problems_of(GOOD.replace(b"train@1.0.0", b"x" * 200_000))
    assert problem.code == "invalid-reference"
    assert len(str(problem)) < 1500


def test_columns_count_characters_not_bytes() -> None:
    body = 'apiVersion: ordain.dev/v1alpha1\nkind: Cluster\nspec: {"äöü": 1, driver: local}\n'.encode()
    (problem,) = problems_of(body, CLUSTER)
    assert (problem.line, problem.column) == (3, 8)


def test_a_path_that_holds_no_intent_is_refused() -> None:
    assert problems_of(GOOD, "elsewhere.yaml")[0].code == "misplaced-file"
    assert problems_of(GOOD, "templates/train/1.0.0/pipeline.yaml")[0].code == "misplaced-file"
