"""`ordain install`, as a person calls it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner, Result

from api.main import main

EXAMPLES = "docs/examples"


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["install", *words])


def installed(out: Path) -> dict[str, list[dict[str, Any]]]:
    assert run(EXAMPLES, "--cluster", "main", "--out", str(out)).exit_code == 0
    return {file.name: list(yaml.safe_load_all(file.read_bytes())) for file in sorted(out.glob("*.yaml"))}


def test_what_is_needed_first_is_applied_first(tmp_path: Path) -> None:
    files = installed(tmp_path / "out")
    kinds = {name: [each["kind"] for each in manifests] for name, manifests in files.items()}
    assert list(kinds) == [
        "1-namespaces.yaml",
        "2-access.yaml",
        "3-repository.yaml",
        "4-cluster.yaml",
        "5-delivery.yaml",
    ]
    assert set(kinds["1-namespaces.yaml"]) == {"Namespace"}
    assert kinds["5-delivery.yaml"] == ["AppProject", "ApplicationSet", "ApplicationSet"]
    assert "MutatingAdmissionPolicy" in kinds["4-cluster.yaml"]


def test_ordain_may_look_and_ask_and_apply_nothing(tmp_path: Path) -> None:
    access = installed(tmp_path / "out")["2-access.yaml"]
    rules = [rule for each in access if "Role" in each["kind"] for rule in each.get("rules", ())]
    rights = {(verb, name) for rule in rules for name in rule["resources"] for verb in rule["verbs"]}
    looks = {(verb, name) for verb, name in rights if verb in {"get", "list", "watch"}}
    assert rights - looks == {("patch", "applications"), ("patch", "applicationsets"), ("delete", "workflows")}
    assert not any("secrets" in rule["resources"] for rule in rules)
    (role,) = [each for each in access if each["kind"] == "Role"]
    assert role["metadata"]["namespace"] == "argocd"


def test_it_holds_no_credential(tmp_path: Path) -> None:
    (secret,) = installed(tmp_path / "out")["3-repository.yaml"]
    assert secret["stringData"] == {
        "name": "ordain-main",
        "type": "git",
        "url": "https://git.example.com/platform/intents.git",
    }


def test_it_goes_to_the_terminal_as_one_stream() -> None:
    answer = run(EXAMPLES, "--cluster", "main")
    assert answer.exit_code == 0
    assert next(yaml.safe_load_all(answer.stdout))["kind"] == "Namespace"


def test_argo_cd_learns_of_the_kinds_in_its_own_namespace(tmp_path: Path) -> None:
    cluster = tmp_path / "platform" / "clusters" / "far.yaml"
    cluster.parent.mkdir(parents=True)
    there = {"argocd": {"namespace": "gitops", "repoURL": "https://git.example/r"}, "kfp": {"endpoint": "https://k.e/"}}
    spec = {"driver": "kubernetes", "kubernetes": there}
    cluster.write_text(yaml.safe_dump({"apiVersion": "ordain.dev/v1alpha1", "kind": "Cluster", "spec": spec}))
    for name in ("platform.yaml", "install/argo-cd.yaml"):
        file = tmp_path / "platform" / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes((Path("platform") / name).read_bytes())
    answer = run(str(tmp_path), "--cluster", "far")
    settings = next(yaml.safe_load_all(answer.stdout))
    assert (settings["metadata"]["name"], settings["metadata"]["namespace"]) == ("argocd-cm", "gitops")


def test_what_has_nothing_to_install_says_so() -> None:
    for words, says in (
        ((EXAMPLES, "--cluster", "mian"), "did you mean `main`"),
        ((".", "--cluster", "local"), "nothing to install"),
    ):
        answer = run(*words)
        assert answer.exit_code == 2
        assert says in answer.output
