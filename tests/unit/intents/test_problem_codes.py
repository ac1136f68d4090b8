"""Every code of the catalogue: a document or a change that has the problem, and where it is told."""
# ruff: noqa: E501 - a table is read by its lines

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from intents.authority import Principal, forbidden
from intents.catalogue import CATALOGUE
from intents.checks import check
from intents.models import files_digest
from intents.problems import InvalidIntent, Severity
from intents.reading import read
from intents.tree import Tree
from tests.fixtures.trees import (
    ACME,
    CHURN,
    CLUSTER,
    DDP,
    DEPLOYMENT,
    FRAUD,
    GLOBEX,
    MODEL_1,
    OTHER_MODEL,
    PLATFORM,
    ROLLOUT,
    RUN,
    SCHEDULE,
    SECRET,
    TRAIN,
    TRAINING_JOB,
    V1,
    V2,
    document,
    model_spec,
    small_specs,
    small_tree,
    version_spec,
)

HEAD = "apiVersion: ordain.dev/v1alpha1\nkind: Run\nspec:\n  template: train@1.0.0\n"
DEPLOYED = """\
apiVersion: ordain.dev/v1alpha1
kind: ModelDeployment
spec:
  runtime: triton
  traffic: {replace: {}}
  endpoint: {timeout: 5s}
  versions:
    - name: v1
      model: fraud@1
      resources: {cpus: 1, memory: 2Gi}
      digest: "sha256:DIGEST"
""".replace("DIGEST", "a" * 64)

TENANT = """\
apiVersion: ordain.dev/v1alpha1
kind: Tenant
spec:
  displayName: Acme
  hostnames: [acme]
  defaultProject: fraud
"""

ON_GPUS = """\
apiVersion: ordain.dev/v1alpha1
kind: Cluster
spec:
  driver: local
  gpuPools:
    - type: nvidia-l4
      count: 4
"""
MATCH = {"version": "v1", "header": {"name": "X-Arm", "value": "a"}}

DOCUMENTS: list[tuple[str, str, str | bytes, int]] = [
    ("misplaced-file", "tenants/readme.txt", HEAD, 0),
    ("invalid-name", "tenants/ACME/tenant.yaml", HEAD, 0),
    ("invalid-name", DEPLOYMENT, DEPLOYED.replace("name: v1", "name: v-1"), 8),
    ("too-large", RUN, HEAD + "#" * 300_000, 1),
    ("not-utf8", RUN, HEAD.encode() + b"  # \xff\n", 5),
    ("not-utf8", RUN, "\ufeff" + HEAD, 1),
    ("yaml-syntax", RUN, HEAD + "  parameters: [1, 2\n", 6),
    ("yaml-syntax", RUN, HEAD + "  parameters: {a: \x00}\n", 5),
    ("yaml-feature", RUN, HEAD + "  parameters: &all {}\n", 5),
    ("yaml-feature", RUN, HEAD + "  parameters: {a: !!str 1}\n", 5),
    ("yaml-feature", RUN, HEAD + "  <<: {attempt: 2}\n", 5),
    ("yaml-feature", RUN, "%YAML 1.1\n---\n" + HEAD, 1),
    ("empty-document", RUN, "# nothing\n", 2),
    ("several-documents", RUN, HEAD + "---\n" + HEAD, 5),
    ("too-deep", RUN, HEAD + "  parameters: {a: " + "[" * 40 + "]" * 40 + "}\n", 5),
    ("duplicate-key", RUN, HEAD + "  template: train@1.0.0\n", 5),
    ("key-not-text", RUN, HEAD + "  parameters: {1: 2}\n", 5),
    ("ambiguous-scalar", RUN, HEAD + "  parameters: {a: no}\n", 5),
    ("ambiguous-scalar", RUN, HEAD + "  parameters: {a: 'x\u2028y'}\n", 5),
    ("number-out-of-range", RUN, HEAD + f"  parameters: {{a: {2**64}}}\n", 5),
    ("kind-mismatch", CLUSTER, HEAD.replace("  template: train@1.0.0", "  driver: local"), 2),
    ("unknown-field", RUN, HEAD + "  deadlin: 2h\n", 5),
    ("missing-field", RUN, HEAD.replace("  template: train@1.0.0", "  attempt: 1"), 3),
    ("wrong-type", RUN, HEAD + "  attempt: x\n", 5),
    ("invalid-value", RUN, HEAD + "  desired: Paused\n", 5),
    ("out-of-range", RUN, HEAD + "  attempt: 0\n", 5),
    ("out-of-range", DEPLOYMENT, DEPLOYED + "      replicas: {min: 3, max: 2}\n", 12),
    ("invalid-reference", RUN, HEAD.replace("@1.0.0", ""), 4),
    ("invalid-quantity", DEPLOYMENT, DEPLOYED.replace("2Gi", "2GB"), 10),
    ("invalid-quantity", DEPLOYMENT, DEPLOYED.replace("cpus: 1", "cpus: 0"), 10),
    ("invalid-network", ACME, TENANT + "  egress: [{to: 10.0.0.1/8, ports: [1]}]\n", 7),
    ("invalid-network", ACME, TENANT + "  egress: [{to: 10.0.0.0/255.0.0.0, ports: [1]}]\n", 7),
    ("invalid-network", ACME, TENANT + "  egress: [{to: 10.0.0.0/0.255.255.255, ports: [1]}]\n", 7),
    ("invalid-network", ACME, TENANT + "  egress: [{to: '10.1.2.3', ports: [1]}]\n", 7),
    ("invalid-network", ACME, TENANT + "  egress: [{to: 'fe80::%eth0/64', ports: [1]}]\n", 7),
    ("invalid-value", CLUSTER, ON_GPUS + "      tolerations: [{key: gpu, operator: Exists, value: 'true'}]\n", 8),
    ("invalid-value", CLUSTER, ON_GPUS + "      tolerations: [{key: gpu, value: 'a b'}]\n", 8),
    ("invalid-value", CLUSTER, ON_GPUS + "      nodeSelector: {-pool: gpu}\n", 8),
    ("invalid-value", CLUSTER, ON_GPUS + "      nodeSelector: {a..b/pool: gpu}\n", 8),
    ("invalid-value", CLUSTER, ON_GPUS + f"      nodeSelector: {{{'p' * 64}: gpu}}\n", 8),
    ("invalid-value", CLUSTER, ON_GPUS + "      nodeSelector: {pool: gpu/1}\n", 8),
    ("invalid-value", CLUSTER, ON_GPUS + "      resource: cpu\n", 8),
    *(
        (
            "invalid-value",
            DEPLOYMENT,
            DEPLOYED.replace(
                "replace: {}",
                f"ab: {{split: {{v1: 50, v2: 50}}, match: [{{version: v1, header: {{name: {name}, value: a}}}}]}}",
            ),
            5,
        )
        for name in ("Cookie", "host", "X-Tenant-Id", "X-Project-Id", "X-Ordain-Secret")
    ),
    (
        "out-of-range",
        DEPLOYMENT,
        DEPLOYED.replace("replace: {}", f"ab: {{split: {{v1: 50, v2: 50}}, match: {[MATCH] * 65}}}"),
        5,
    ),
    ("invalid-duration", DEPLOYMENT, DEPLOYED.replace("5s", "5 seconds"), 6),
]

# What is changed in the small tree, and where the problem is told.
Change = Mapping[str, Mapping[str, Any] | None]
SPECS = small_specs()
RUN_2 = RUN.replace("first", "second")
CHANGES: list[tuple[str, Change, str, str]] = [
    ("no-platform", {PLATFORM: None}, PLATFORM, ""),
    ("unknown-tenant", {"tenants/nobody/projects/x/project.yaml": SPECS[FRAUD]}, "tenants/nobody/projects/x/project.yaml", ""),
    ("unknown-tenant", {SECRET: {**SPECS[SECRET], "tenants": ["globx"]}}, SECRET, "spec.tenants.0"),
    ("unknown-project", {RUN.replace("projects/fraud", "projects/frod"): SPECS[RUN]}, RUN.replace("projects/fraud", "projects/frod"), ""),
    ("unknown-project", {ACME: {**SPECS[ACME], "defaultProject": "nothing"}}, ACME, "spec.defaultProject"),
    ("unknown-cluster", {CHURN.replace("churn", "new"): {"cluster": "locl"}}, CHURN.replace("churn", "new"), "spec.cluster"),
    ("unknown-template", {RUN_2: {"template": "train@2.0.0"}}, RUN_2, "spec.template"),
    ("template-not-offered", {RUN_2: {"template": "secret@1.0.0"}}, RUN_2, "spec.template"),
    ("unknown-model-version", {DEPLOYMENT: {**SPECS[DEPLOYMENT], "versions": [{**V2, "model": "fraud@3"}]}}, DEPLOYMENT, "spec.versions.0.model"),
    ("digest-mismatch", {DEPLOYMENT: {**SPECS[DEPLOYMENT], "versions": [{**V2, "model": "fraud@1"}]}}, DEPLOYMENT, "spec.versions.0.digest"),
    ("digest-mismatch", {MODEL_1.replace("1.yaml", "3.yaml"): {**SPECS[MODEL_1], "digest": V2["digest"]}}, MODEL_1.replace("1.yaml", "3.yaml"), "spec.digest"),
    ("unknown-parameter", {RUN_2: {"template": "train@1.0.0", "parameters": {"rounds": 1, "lable": "x"}}}, RUN_2, "spec.parameters.lable"),
    ("missing-parameter", {RUN_2: {"template": "train@1.0.0"}}, RUN_2, "spec.parameters.rounds"),
    ("invalid-parameter", {RUN_2: {"template": "train@1.0.0", "parameters": {"rounds": 501}}}, RUN_2, "spec.parameters.rounds"),
    ("invalid-parameter", {RUN_2: {"template": "train@1.0.0", "parameters": {"rounds": "9"}}}, RUN_2, "spec.parameters.rounds"),
    ("no-model-output", {RUN_2.replace("acme/projects/fraud", "globex/projects/churn"): {"template": "secret@1.0.0", "register": {"model": "m"}}}, RUN_2.replace("acme/projects/fraud", "globex/projects/churn"), "spec.register"),
    ("output-not-chosen", {TRAIN.replace("1.0.0", "2.0.0"): {**SPECS[TRAIN], "models": [{"task": "a", "output": "x"}, {"task": "a", "output": "y"}]}, RUN_2: {**SPECS[RUN], "template": "train@2.0.0"}}, RUN_2, "spec.register"),
    ("unknown-output", {RUN_2: {**SPECS[RUN], "register": {"model": "fraud", "output": "modle"}}}, RUN_2, "spec.register.output"),
    ("run-name-used", {RUN.replace("-23", "-24"): SPECS[RUN]}, RUN, ""),
    ("attempt-lowered", {RUN: {**SPECS[RUN], "attempt": 1}}, RUN, "spec.attempt"),
    ("invalid-schema", {SECRET.replace("1.0.0", "1.1.0"): {**SPECS[SECRET], "parameters": {"type": "objct"}}}, SECRET.replace("1.0.0", "1.1.0"), "spec.parameters"),
    ("invalid-schema", {SECRET.replace("1.0.0", "1.1.0"): {**SPECS[SECRET], "parameters": {"type": "array"}}}, SECRET.replace("1.0.0", "1.1.0"), "spec.parameters"),
    ("model-layout", {OTHER_MODEL.replace("1.yaml", "2.yaml"): model_spec("fraud", "4")}, OTHER_MODEL.replace("1.yaml", "2.yaml"), "spec.files"),
    ("duplicate-name", {TRAIN.replace("1.0.0", "2.0.0"): {**SPECS[TRAIN], "models": [{"task": "a", "output": "x"}, {"task": "b", "output": "x"}]}}, TRAIN.replace("1.0.0", "2.0.0"), "spec.models.1"),
    ("duplicate-name", {ROLLOUT: {"of": "0" * 40, "live": [{**V1, "weight": 50}, {**V1, "weight": 50}]}}, ROLLOUT, "spec.live.1.name"),
    ("duplicate-name", {CLUSTER: {**SPECS[CLUSTER], "gpuPools": [{"type": "nvidia-l4", "count": count} for count in (4, 8)]}}, CLUSTER, "spec.gpuPools.1.type"),
    ("replace-one-version", {DEPLOYMENT: {**SPECS[DEPLOYMENT], "versions": [V1, V2]}}, DEPLOYMENT, "spec.versions.1"),
    ("mixed-models", {DEPLOYMENT: {**SPECS[DEPLOYMENT], "versions": [version_spec("v3", "other@1", "3")]}}, DEPLOYMENT, "spec.versions.0.model"),
    ("version-changed", {DEPLOYMENT: {**SPECS[DEPLOYMENT], "versions": [{**V2, "name": "v1"}]}}, DEPLOYMENT, "spec.versions.0.name"),
    ("version-changed", {ROLLOUT: {"of": "0" * 40, "live": [{**V2, "name": "v1", "weight": 100}]}}, ROLLOUT, "spec.live.0.name"),
    ("weights-sum", {ROLLOUT: {"of": "0" * 40, "live": [{**V1, "weight": 90}, {**V2, "weight": 20}]}}, ROLLOUT, "spec.live"),
    ("orphan-rollout", {DEPLOYMENT: None}, ROLLOUT, ""),
    ("derived-name-clash", {DEPLOYMENT.replace("scoring", "scoring-v1"): {**SPECS[DEPLOYMENT], "versions": [V2]}}, DEPLOYMENT.replace("scoring", "scoring-v1"), ""),
    ("duplicate-hostname", {GLOBEX: {**SPECS[GLOBEX], "hostnames": ["globex", "acme"]}}, GLOBEX, "spec.hostnames.1"),
    ("duplicate-hostname", {GLOBEX: {**SPECS[GLOBEX], "hostnames": ["globex", "globex"]}}, GLOBEX, "spec.hostnames.1"),
    ("immutable-field", {RUN: {**SPECS[RUN], "attempt": 3, "parameters": {"rounds": 7}}}, RUN, "spec.parameters"),
    ("immutable-field", {PLATFORM: {**SPECS[PLATFORM], "repository": {"uid": "00000000-0000-4000-8000-000000000000"}}}, PLATFORM, "spec.repository.uid"),
    ("immutable-field", {MODEL_1: {**SPECS[MODEL_1], "signature": {}}}, MODEL_1, "spec.signature"),
    ("not-empty", {ACME: None}, ACME, ""),
    ("not-empty", {FRAUD: None}, FRAUD, ""),
    ("in-use", {CLUSTER: None}, CLUSTER, ""),
    ("in-use", {TRAIN: None}, TRAIN, ""),
    ("in-use", {MODEL_1: None}, MODEL_1, ""),
    ("in-use", {GLOBEX: None, CHURN: None}, GLOBEX, ""),
]  # fmt: skip

# What the base has besides the small tree, what is changed in it, and where the problem is told.
GPU = {"gpuPools": [{"type": "nvidia-l4", "count": 4}]}
KUBERNETES = {
    "driver": "kubernetes",
    "kubernetes": {"argocd": {"repoURL": "https://git.example/r"}, "kfp": {"endpoint": "https://kfp.example/"}},
}
KNATIVE = {**KUBERNETES, "kserve": {"mode": "Knative"}}
DDP_GPU = DDP.replace("ddp", "ddp-gpu")
JOB_2 = TRAINING_JOB.replace("linear", "second")
FAST = DEPLOYMENT.replace("scoring", "fast")
MODEL_3 = MODEL_1.replace("1.yaml", "3.yaml")
LIMITED = {
    PLATFORM: {
        **SPECS[PLATFORM],
        "changeLimits": {"deletedDeployments": {"atMost": "20%", "floor": 0}, "tenantsTouched": 1},
    }
}
TOKEN = "ghp" + "_" + "a1B2c3D4e5F6a1B2c3D4e5F6a1B2c3D4e5F6"
PAIR = {"stable": "v1", "candidate": "v2"}


def deployed(traffic: Mapping[str, Any], *versions: Mapping[str, Any]) -> dict[str, Any]:
    return {**SPECS[DEPLOYMENT], "versions": list(versions or (V1, V2)), "traffic": traffic}


def with_quota(path: str, **quota: Any) -> dict[str, Any]:
    return {**SPECS[path], "quota": quota}


def gpus(version: Mapping[str, Any], count: int, gpu: str = "nvidia-l4") -> dict[str, Any]:
    return {**version, "resources": {"gpus": {gpu: count}}}


def canary(*weights: int, gate: int = 1) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"weight": weight} for weight in weights]
    steps[gate - 1]["gates"] = [{"metric": "errorRate", "below": 0.1}]
    return {"canary": {**PAIR, "steps": steps}}


def signed(files: Mapping[str, Any], **signature: Any) -> dict[str, Any]:
    return {**files, "signature": signature}


def renamed(spec: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    files = [{**each, "path": each["path"].replace(old, new)} for each in spec["files"]]
    entries = [(each["path"], each["size"], each["sha256"]) for each in files]
    return {**spec, "files": files, "digest": files_digest(entries)}


BIG = {FRAUD: with_quota(FRAUD, cpus=4), TRAIN.replace("1.0.0", "2.0.0"): {**SPECS[TRAIN], "resources": {"cpus": 8}}}

MORE: list[tuple[str, Change, Change, str, str]] = [
    ("unknown-template", {}, {JOB_2: {"template": "dpd@1.0.0"}}, JOB_2, "spec.template"),
    ("unknown-template", {}, {SCHEDULE: {**SPECS[SCHEDULE], "run": {"template": "trian@1.0.0"}}}, SCHEDULE, "spec.run.template"),
    ("wrong-template", {}, {JOB_2: {"template": "train@1.0.0"}}, JOB_2, "spec.template"),
    ("wrong-template", {}, {RUN_2: {"template": "ddp@1.0.0"}}, RUN_2, "spec.template"),
    ("wrong-template", {}, {SCHEDULE: {**SPECS[SCHEDULE], "run": {"template": "ddp@1.0.0"}}}, SCHEDULE, "spec.run.template"),
    ("template-not-offered", {}, {TRAIN: {**SPECS[TRAIN], "tenants": ["globex"]}}, SCHEDULE, "spec.run.template"),
    ("template-not-offered", {}, {DDP.replace("1.0.0", "2.0.0"): {**SPECS[DDP], "tenants": ["globex"]}, JOB_2: {"template": "ddp@2.0.0"}}, JOB_2, "spec.template"),
    ("deprecated-template", {}, {TRAIN: {**SPECS[TRAIN], "deprecated": "use train@2.0.0"}}, SCHEDULE, "spec.run.template"),
    ("deprecated-template", {DDP: {**SPECS[DDP], "deprecated": "use ddp@2.0.0"}}, {TRAINING_JOB: {**SPECS[TRAINING_JOB], "attempt": 2}}, TRAINING_JOB, "spec.template"),
    ("unknown-parameter", {}, {JOB_2: {"template": "ddp@1.0.0", "parameters": {"epoch": 1}}}, JOB_2, "spec.parameters.epoch"),
    ("missing-parameter", {}, {SCHEDULE: {**SPECS[SCHEDULE], "run": {"template": "train@1.0.0"}}}, SCHEDULE, "spec.run.parameters.rounds"),
    ("invalid-parameter", {}, {SCHEDULE: {**SPECS[SCHEDULE], "run": {"template": "train@1.0.0", "parameters": {"rounds": 0}}}}, SCHEDULE, "spec.run.parameters.rounds"),
    ("invalid-parameter", {TRAIN.replace("1.0.0", "2.0.0"): {**SPECS[TRAIN], "parameters": {"properties": {"seed": {"type": "integer"}}}}}, {RUN_2: {"template": "train@2.0.0", "parameters": {"seed": 2**53 + 1}}}, RUN_2, "spec.parameters.seed"),
    *(
        ("invalid-parameter", {}, {SCHEDULE: {**SPECS[SCHEDULE], "run": {"template": "train@1.0.0", "parameters": {"rounds": 1, "label": text}}}}, SCHEDULE, "spec.run.parameters.label")
        for text in ("$(TOKEN)", "$(a.b-c)", "5 $$", "{{pod.uid}}")
    ),
    ("derived-name-clash", {FAST: deployed({"replace": {}}, V1)}, {FAST.replace("fast", "fast-predictor"): deployed({"replace": {}}, V1)}, FAST.replace("fast", "fast-predictor"), ""),
    ("derived-name-clash", {FAST.replace("fast", "fast-predictor"): deployed({"replace": {}}, V1)}, {FAST: deployed({"replace": {}}, V1)}, FAST, ""),
    ("unknown-output", {}, {JOB_2: {"template": "ddp@1.0.0", "register": {"model": "m", "output": "modle"}}}, JOB_2, "spec.register.output"),
    ("in-use", {}, {DDP: None}, DDP, ""),
    ("in-use", {TRAIN.replace("1.0.0", "2.0.0"): SPECS[TRAIN], SCHEDULE: {**SPECS[SCHEDULE], "run": {"template": "train@2.0.0", "parameters": {"rounds": 1}}}}, {TRAIN.replace("1.0.0", "2.0.0"): None}, TRAIN.replace("1.0.0", "2.0.0"), ""),
    ("never-fits", {FRAUD: with_quota(FRAUD, cpus=2)}, {JOB_2: {"template": "ddp@1.0.0", "nodes": 3}}, JOB_2, "spec.template"),
    ("never-fits", {ACME: with_quota(ACME, memory="5Gi")}, {JOB_2: {"template": "ddp@1.0.0", "nodes": 2, "resources": {"memory": "3Gi"}}}, JOB_2, "spec.resources"),
    ("never-fits", {CLUSTER: {**SPECS[CLUSTER], **GPU}}, {JOB_2: {"template": "ddp@1.0.0", "resources": {"gpus": {"nvidia-l4": 1}}}}, JOB_2, "spec.resources"),
    ("never-fits", BIG, {RUN_2: {**SPECS[RUN], "template": "train@2.0.0"}}, RUN_2, "spec.template"),
    ("never-fits", BIG, {SCHEDULE: {**SPECS[SCHEDULE], "run": {**SPECS[RUN], "template": "train@2.0.0"}}}, SCHEDULE, "spec.run.template"),
    ("unknown-gpu-type", {}, {JOB_2: {"template": "ddp@1.0.0", "resources": {"gpus": {"nvidia-l4": 1}}}}, JOB_2, "spec.resources"),
    ("unknown-gpu-type", {CLUSTER: {**SPECS[CLUSTER], **GPU}}, {DEPLOYMENT: deployed({"replace": {}}, gpus(V1, 1, "nvidia-l44"))}, DEPLOYMENT, "spec.versions.0.resources.gpus.nvidia-l44"),
    ("unknown-gpu-type", {CLUSTER: {**SPECS[CLUSTER], **GPU}, ACME: with_quota(ACME, gpus={"nvidia-l4": 4})}, {FRAUD: with_quota(FRAUD, gpus={"nvidia-l40": 1})}, FRAUD, "spec.quota.gpus.nvidia-l40"),
    ("unknown-gpu-type", {CLUSTER: {**SPECS[CLUSTER], **GPU}, ACME: with_quota(ACME, gpus={"nvidia-l4": 4}), FRAUD: with_quota(FRAUD, gpus={"nvidia-l4": 4}), DEPLOYMENT: deployed({"replace": {}}, gpus(V1, 1))}, {CLUSTER: SPECS[CLUSTER]}, DEPLOYMENT, "spec.versions.0.resources.gpus.nvidia-l4"),
    ("invalid-cron", {}, {SCHEDULE: {**SPECS[SCHEDULE], "cron": "* * * * * *"}}, SCHEDULE, "spec.cron"),
    ("invalid-cron", {}, {SCHEDULE: {**SPECS[SCHEDULE], "cron": "@hourly"}}, SCHEDULE, "spec.cron"),
    ("invalid-cron", {}, {SCHEDULE: {**SPECS[SCHEDULE], "cron": "0 0 30 2 *"}}, SCHEDULE, "spec.cron"),
    ("unknown-time-zone", {}, {SCHEDULE: {**SPECS[SCHEDULE], "timeZone": "Europe/Zürich"}}, SCHEDULE, "spec.timeZone"),
    ("invalid-schema", {}, {DDP.replace("1.0.0", "1.1.0"): {**SPECS[DDP], "parameters": {"properties": {"a": {"$ref": "https://schemas.example/a"}}}}}, DDP.replace("1.0.0", "1.1.0"), "spec.parameters"),
    ("image-not-allowed", {}, {PLATFORM: {**SPECS[PLATFORM], "images": {"allow": ["quay.io/*"]}}}, DDP, "spec.training.image"),
    ("image-not-allowed", {PLATFORM: {**SPECS[PLATFORM], "images": {"allow": ["python:*"]}}}, {DDP_GPU: {**SPECS[DDP], "training": {"image": "quay.io/a/b:1", "command": ["x"]}}}, DDP_GPU, "spec.training.image"),
    ("model-layout", {}, {MODEL_3: renamed(model_spec("fraud", "4"), "/1/", "/2/")}, MODEL_3, "spec.files"),
    ("model-layout", {}, {MODEL_3: signed(model_spec("fraud", "4"), platform="tensorrt_plan")}, MODEL_3, "spec.files"),
    ("model-config", {}, {MODEL_3: signed(model_spec("fraud", "4"), platform="onnxruntime_onnx", backend="tensorrt")}, MODEL_3, "spec.files.1.path"),
    ("model-is-code", {}, {MODEL_3: signed(model_spec("fraud", "4"), backend="python")}, MODEL_3, "spec.files.1.path"),
    ("model-is-code", {}, {MODEL_3: renamed(model_spec("fraud", "4"), "model.onnx", "model.py")}, MODEL_3, "spec.files.0.path"),
    ("no-gpu-for-model", {MODEL_3: signed(model_spec("fraud", "4"), platform="onnxruntime_onnx", instanceKinds=["KIND_GPU"])}, {DEPLOYMENT: deployed({"replace": {}}, version_spec("v3", "fraud@3", "4"))}, DEPLOYMENT, "spec.versions.0.resources"),
    ("unknown-version", {}, {DEPLOYMENT: deployed({"shadow": {"stable": "v1", "candidate": "v3"}})}, DEPLOYMENT, "spec.traffic.shadow.candidate"),
    ("unknown-version", {}, {DEPLOYMENT: deployed({"ab": {"split": {"v1": 50, "v3": 50}}})}, DEPLOYMENT, "spec.traffic.ab.split.v3"),
    ("unused-version", {}, {DEPLOYMENT: deployed({"blueGreen": {"stable": "v1", "candidate": "v1"}})}, DEPLOYMENT, "spec.versions.1.name"),
    ("unused-version", {}, {DEPLOYMENT: deployed({"ab": {"split": {"v1": 100, "v2": 0}}})}, DEPLOYMENT, "spec.traffic.ab.split.v2"),
    ("same-version", {}, {DEPLOYMENT: deployed({"blueGreen": {"stable": "v1", "candidate": "v1"}})}, DEPLOYMENT, "spec.traffic.blueGreen.candidate"),
    ("steps-not-rising", {}, {DEPLOYMENT: deployed(canary(10, 10, 100))}, DEPLOYMENT, "spec.traffic.canary.steps.1.weight"),
    ("steps-not-rising", {}, {DEPLOYMENT: deployed(canary(10, 90))}, DEPLOYMENT, "spec.traffic.canary.steps.1.weight"),
    ("gate-without-traffic", {}, {DEPLOYMENT: deployed(canary(0, 100))}, DEPLOYMENT, "spec.traffic.canary.steps.0.gates"),
    ("weights-sum", {}, {DEPLOYMENT: deployed({"ab": {"split": {"v1": 50, "v2": 40}}})}, DEPLOYMENT, "spec.traffic.ab.split"),
    ("overlapping-matches", {}, {DEPLOYMENT: deployed({"ab": {"split": {"v1": 50, "v2": 50}, "match": [{"version": "v1", "header": {"name": "X-A", "value": "1"}}, {"version": "v2", "cookie": {"name": "a", "value": "1"}}]}})}, DEPLOYMENT, "spec.traffic.ab.match.1"),
    ("mode-cannot-express", {CLUSTER: KNATIVE}, {DEPLOYMENT: deployed({"shadow": PAIR})}, DEPLOYMENT, "spec.traffic.shadow"),
    ("mode-cannot-express", {CLUSTER: KUBERNETES, DEPLOYMENT: deployed({"shadow": PAIR}), ROLLOUT: None}, {CLUSTER: KNATIVE}, DEPLOYMENT, "spec.traffic.shadow"),
    ("mode-in-use", {CLUSTER: KUBERNETES}, {CLUSTER: KNATIVE}, CLUSTER, "spec.kserve.mode"),
    ("quota-cpus", {FRAUD: with_quota(FRAUD, cpus=2)}, {DEPLOYMENT: deployed({"replace": {}}, V2)}, DEPLOYMENT, "spec.versions"),
    ("quota-cpus", {}, {FRAUD: with_quota(FRAUD, cpus=1)}, FRAUD, "spec.quota.cpus"),
    ("quota-cpus", {ACME: with_quota(ACME, cpus=2)}, {DEPLOYMENT.replace("scoring", "more"): deployed({"replace": {}}, V2)}, DEPLOYMENT.replace("scoring", "more"), "spec.versions"),
    ("quota-cpus", {}, {CLUSTER: {**SPECS[CLUSTER], "capacity": {"cpus": 1, "memory": "99Gi"}}}, CLUSTER, "spec.capacity.cpus"),
    ("quota-memory", {CLUSTER: {**SPECS[CLUSTER], "capacity": {"cpus": 9, "memory": "5Gi"}}}, {DEPLOYMENT: deployed(canary(10, 100))}, DEPLOYMENT, "spec.versions"),
    ("quota-memory", {}, {ACME: with_quota(ACME, memory="1Gi")}, ACME, "spec.quota.memory"),
    ("quota-memory", {FRAUD: with_quota(FRAUD, memory="5Gi")}, {ROLLOUT: {"of": "0" * 40, "live": [{**V1, "weight": 100}, {**V2, "weight": 0}]}}, DEPLOYMENT, "spec.versions"),
    ("quota-gpus", {CLUSTER: {**SPECS[CLUSTER], **GPU}}, {DEPLOYMENT: deployed({"replace": {}}, gpus(V1, 1))}, DEPLOYMENT, "spec.versions"),
    ("quota-gpus", {CLUSTER: {**SPECS[CLUSTER], **GPU}, ACME: with_quota(ACME, gpus={"nvidia-l4": 4}), FRAUD: with_quota(FRAUD, gpus={"nvidia-l4": 4}), DEPLOYMENT: deployed({"replace": {}}, gpus(V1, 1))}, {FRAUD: with_quota(FRAUD, gpus={"nvidia-l4": 2})}, FRAUD, "spec.quota.gpus.nvidia-l4"),
    ("quota-above-limit", {ACME: with_quota(ACME, cpus=4)}, {FRAUD: with_quota(FRAUD, cpus=8)}, FRAUD, "spec.quota.cpus"),
    ("quota-above-limit", {FRAUD: with_quota(FRAUD, cpus=8)}, {ACME: with_quota(ACME, cpus=4)}, ACME, "spec.quota.cpus"),
    ("quota-above-limit", {FRAUD: with_quota(FRAUD, cpus=8)}, {CLUSTER: {**SPECS[CLUSTER], "capacity": {"cpus": 4, "memory": "9Gi"}}}, CLUSTER, "spec.capacity.cpus"),
    ("quota-above-limit", {}, {ACME: with_quota(ACME, gpus={"nvidia-l4": 1})}, ACME, "spec.quota.gpus.nvidia-l4"),
    ("quota-above-limit", {CLUSTER: {**SPECS[CLUSTER], **GPU}, ACME: with_quota(ACME, gpus={"nvidia-l4": 4})}, {CLUSTER: {**SPECS[CLUSTER], "gpuPools": [{"type": "nvidia-l4", "count": 2}]}}, ACME, "spec.quota.gpus.nvidia-l4"),
    ("change-limit", LIMITED, {DEPLOYMENT: None, ROLLOUT: None}, DEPLOYMENT, ""),
    ("change-limit", LIMITED, {FRAUD: with_quota(FRAUD, cpus=8), CHURN: with_quota(CHURN, cpus=8)}, FRAUD, ""),
    ("looks-like-secret", {}, {SCHEDULE: {**SPECS[SCHEDULE], "run": {"template": "train@1.0.0", "parameters": {"rounds": 1, "label": TOKEN}}}}, SCHEDULE, "spec.run.parameters.label"),
    ("looks-like-secret", {}, {GLOBEX: {**SPECS[GLOBEX], "displayName": TOKEN}}, GLOBEX, "spec.displayName"),
]  # fmt: skip

ELSEWHERE = {
    "active-run": "test_checks_facts",
    "invalid-image": "test_packages",
    "runs-as-root": "test_packages",
    "not-an-approver": "test_authority",
    "forbidden": "test_authority",
    "conflict": "the writer's tests",
    "check-crashed": "contract/test_request_queue",
    "approval-missing": "planning/test_proposing",
    "plan-changed": "planning/test_changes",
    "change-not-open": "planning/test_changes",
    "change-updated": "planning/test_changes",
    "too-many-changes": "planning/test_proposing",
    "empty-change": "planning/test_proposing",
    "not-a-plain-file": "planning/test_pushes",
    "unfit-merge": "planning/test_pushes",
    "invalid-package": "test_packages",
    "package-changed": "test_packages",
    "package-parameters": "test_packages",
    "invalid-member": "below",
    "more-problems": "test_reading",
    "invalid-manifest": "planning/test_validation",
    "not-carried-out": "planning/test_capabilities",
}


def base_specs() -> dict[str, dict[str, Any]]:
    """Return the small tree with a run that was tried twice."""
    specs = small_specs()
    return {**specs, RUN: {**specs[RUN], "attempt": 2}}


@pytest.mark.parametrize(("code", "path", "body", "line"), DOCUMENTS)
def test_a_document_with_the_problem(code: str, path: str, body: str | bytes, line: int) -> None:
    with pytest.raises(InvalidIntent) as refused:
        read(path, body if isinstance(body, bytes) else body.encode())
    assert [(each.code, each.line) for each in refused.value.problems][:1] == [(code, line)]


@pytest.mark.parametrize(("code", "change", "path", "field"), CHANGES)
def test_a_change_with_the_problem(code: str, change: Change, path: str, field: str) -> None:
    base = small_tree().advance({RUN: document(RUN, base_specs()[RUN])})
    assert check(base, base) == ()
    head = advanced(base, change)
    problems = check(base, head, change.keys())
    found = {(each.code, each.path, each.field) for each in problems}
    assert (code, path, field) in found
    assert set(problems) == set(check(base, head)), "checking only what changed missed something"
    assert all(each.line for each in problems if each.field)


@pytest.mark.parametrize(("code", "more", "change", "path", "field"), MORE)
def test_a_change_of_a_larger_tree_with_the_problem(
    code: str, more: Change, change: Change, path: str, field: str
) -> None:
    base = advanced(small_tree(), more)
    assert check(base, base) == ()
    assert {each.severity for each in check(Tree.empty(), base)} <= {Severity.WARNING}
    head = advanced(base, change)
    problems = check(base, head, change.keys())
    assert (code, path, field) in {(each.code, each.path, each.field) for each in problems}
    assert set(problems) == set(check(base, head)), "checking only what changed missed something"
    assert all(each.line for each in problems if each.field)


def advanced(tree: Tree, change: Change) -> Tree:
    return tree.advance({each: None if spec is None else document(each, spec) for each, spec in change.items()})


def test_what_never_fits_is_told_in_words() -> None:
    base = advanced(small_tree(), {FRAUD: with_quota(FRAUD, cpus=2)})
    (problem,) = check(base, advanced(base, {JOB_2: {"template": "ddp@1.0.0", "nodes": 3}}), [JOB_2])
    assert problem.message == "3 nodes would need 3 CPUs, project fraud has 2: it would wait for ever"


def test_nothing_is_told_of_templates_for_others() -> None:
    """Neither their names nor those of their parameters."""
    secret = {**SPECS[SECRET], "parameters": {"properties": {"hidden": {"type": "integer"}}, "required": ["hidden"]}}
    base = advanced(small_tree(), {SECRET.replace("1.0.0", "2.0.0"): secret})
    for reference, code in (("secrt@1.0.0", "unknown-template"), ("secret@2.0.0", "template-not-offered")):
        (problem,) = check(base, advanced(base, {RUN_2: {"template": reference, "parameters": {"a": 1}}}), [RUN_2])
        assert problem.code == code
        assert "secret" not in str(problem).replace(reference, "")
        assert "hidden" not in str(problem)


def test_the_small_tree_is_the_good_example_of_every_check() -> None:
    assert check(Tree.empty(), small_tree()) == ()


@pytest.mark.parametrize("who", [{"user": "a", "group": "b"}, {}, {"user": "ordain-registry"}])
def test_a_member_is_a_user_or_a_group(who: dict[str, str]) -> None:
    spec = {**small_specs()[ACME], "members": [{**who, "roles": ["viewer"]}]}
    with pytest.raises(InvalidIntent) as refused:
        document(ACME, spec)
    assert refused.value.problems[0].code == "invalid-member"


def test_a_role_is_missing() -> None:
    problem = forbidden(small_tree(), Principal("nobody"), RUN)
    assert problem is not None
    assert problem.code == "forbidden"


def test_every_code_has_an_example() -> None:
    assert {row[0] for row in (*DOCUMENTS, *CHANGES, *MORE)} | ELSEWHERE.keys() == CATALOGUE.keys()
