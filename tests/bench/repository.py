"""A seeded state repository of any size: 100 tenants of 5 projects, all kinds, no problem in it.

Documents are written as people and the API write them, comments and flow style included, not by one dumper.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from textwrap import indent
from typing import NamedTuple

from intents.models import files_digest
from intents.writing import blob_id

TENANTS = 100
PROJECTS = {"fraud": "main", "churn": "main", "search": "main", "pricing": "main", "support": "burst"}
"""Projects of every tenant, with their clusters."""
TEMPLATE_VERSIONS = 10
"""Of each of two pipelines; more are one training program."""
INTENTS_A_TENANT = 100
"""Of a small repository at least: it has fewer tenants, so that its projects are not empty."""
SEED = 20261123

ROOT = Path(__file__).resolve().parents[2]
Files = dict[str, bytes]


def generate(size: int) -> Files:
    """Return a repository of `size` intents, and of the packages beside its templates, by path."""
    chance = random.Random(SEED)  # noqa: S311 - a seeded repository keeps no secret
    tenants = [f"tenant-{number:03}" for number in range(min(TENANTS, max(1, size // INTENTS_A_TENANT)))]
    packages = dict(_packages())
    files = {**packages, **{path: text.encode() for path, text in _shared(tenants, PROJECTS)}}
    projects = [Project(tenant, name, cluster, chance) for tenant in tenants for name, cluster in PROJECTS.items()]
    while True:
        for project in projects:
            room = size - (len(files) - len(packages))
            if not room:
                return files
            files |= project.more(room)


def only_tenants(count: int) -> Files:
    """Return a repository of so many tenants with a project each, and nothing in them."""
    names = [f"tenant-{number:04}" for number in range(count)]
    return {path: text.encode() for path, text in _shared(names, {"fraud": "main"})} | dict(_packages())


def write(files: Mapping[str, bytes], root: Path) -> None:
    """Lay the files out as a work tree."""
    for path, body in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)


class Model(NamedTuple):
    """A registered model version."""

    name: str
    number: int
    digest: str


@dataclass
class Project:
    """Grows by requests, each of the files that belong together."""

    tenant: str
    name: str
    cluster: str
    chance: random.Random
    steps: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    models: list[Model] = field(default_factory=list)

    def more(self, room: int) -> Files:
        """Return the next one or two files, one where there is room for no other."""
        makers: tuple[Callable[[], Iterable[tuple[str, str]]], ...] = (
            self._run,
            self._model,
            self._run,
            self._deployment if room > 1 else self._run,
            self._schedule,
            self._run,
            self._training_job,
            self._model,
            self._run,
        )
        self.steps += 1
        made = makers[(self.steps - 1) % len(makers)]()
        return {f"{_folder(self.tenant, self.name)}/{path}": text.encode() for path, text in made}

    def _number(self, what: str) -> int:
        self.counts[what] = self.counts.get(what, 0) + 1
        return self.counts[what]

    def _run(self) -> Iterator[tuple[str, str]]:
        number = self._number("run")
        day = date(2026, 1, 1) + timedelta(days=number)
        yield f"runs/{day}/run-{number:05}.yaml", _document("Run", "run", 6, self._request() + "attempt: 1\n")

    def _request(self) -> str:
        version, rounds = self.chance.randrange(TEMPLATE_VERSIONS), self.chance.randint(1, 500)
        if self.chance.random() < 0.3:
            return f'template: hello@1.{version}.0\nparameters:\n  echo: "say {rounds}: yes"\n'
        return (
            f"template: train-classifier@1.{version}.0\n"
            f"parameters: {{rounds: {rounds}, learning_rate: {self.chance.randint(1, 9) / 10}}}\n"
            "register: {model: risk}\n"
        )

    def _schedule(self) -> Iterator[tuple[str, str]]:
        number, minute = self._number("schedule"), self.chance.randrange(60)
        text = f'cron: "{minute} 3 * * *"\ntimeZone: Europe/Zurich\nconcurrency: Forbid\nrun:\n'
        yield f"schedules/nightly-{number:04}.yaml", _document("Schedule", "schedule", 5, text + _in(self._request()))

    def _training_job(self) -> Iterator[tuple[str, str]]:
        number, nodes = self._number("training"), self.chance.randint(1, 4)
        version = self.chance.randrange(TEMPLATE_VERSIONS)
        text = (
            f"template: finetune@1.{version}.0\nnodes: {nodes}\nparameters: {{epochs: {self.chance.randint(1, 50)}}}\n"
            "resources:\n  cpus: 2\n  memory: 4Gi\nregister: {model: encoder}\n"
        )
        yield f"training/job-{number:04}.yaml", _document("TrainingJob", "training-job", 5, text)

    def _model(self) -> Iterator[tuple[str, str]]:
        number = self._number("model")
        files = [(f"risk/{name}", self.chance.randint(300, 10**7), self._sha256()) for name in _MODEL_FILES]
        model = Model("risk", number, files_digest(files))
        self.models.append(model)
        listed = "".join(
            f'  - path: {path}\n    size: {size}\n    sha256: "{sha256}"\n' for path, size, sha256 in files
        )
        text = f'digest: "{model.digest}"\nfiles:\n{_in(listed)}{_SIGNATURE}'
        text += f"lineage: {{run: runs/2026-01-02/run-{number:05}, task: train}}\n"
        yield f"models/risk/{number}.yaml", _document("ModelVersion", "model-version", 6, text)

    def _sha256(self) -> str:
        return f"{self.chance.getrandbits(256):064x}"

    def _deployment(self) -> Iterator[tuple[str, str]]:
        """Yield a deployment of the newest models, and the rollout that has gone one step."""
        number = self._number("deployment")
        served = self.models[-2:]
        strategies = _STRATEGIES if self.cluster == "main" else _STRATEGIES_ON_KNATIVE
        traffic, weights = self.chance.choice(strategies) if len(served) > 1 else _REPLACE
        versions = [_version(model, self.chance.randint(1, 4)) for model in served[-len(weights) :]]
        listed = _in("".join(_item(each) for each in versions))
        endpoint = "endpoint:\n  access: tenant\n  timeout: 5s\n"
        text = f"runtime: triton\nversions:\n{listed}traffic:\n{_in(traffic)}{endpoint}"
        target = _document("ModelDeployment", "model-deployment", 5, text)
        live = "".join(_item(f"{each}weight: {weight}\n") for each, weight in zip(versions, weights, strict=True))
        rollout = f'of: "{blob_id(target.encode())}"\nlive:\n{_in(live)}step: 1\n'
        yield f"deployments/model-{number:04}.yaml", target
        yield f"deployments/model-{number:04}.rollout.yaml", _document("Rollout", "rollout", 5, rollout)


_MODEL_FILES = ("1/model.onnx", "config.pbtxt")
_SIGNATURE = """\
signature:
  platform: onnxruntime_onnx
  inputs:
    - {name: rows, datatype: FP32, shape: [-1, 24]}
  outputs:
    - {name: label, datatype: INT64, shape: [-1, 1]}
    - {name: probabilities, datatype: FP32, shape: [-1, 2]}
"""
_CANARY = """\
canary:
  stable: old
  candidate: new
  steps:
    - weight: 10
      atLeast: 5m
      gates:
        - {metric: errorRate, below: 0.01, minRequests: 100}
        - {metric: p99LatencyMs, below: 50}
    - {weight: 100}
  onFailure: rollback
"""
_PAIR = "{stable: old, candidate: new}"
_REPLACE = ("replace: {}\n", (100,))
_STRATEGIES: tuple[tuple[str, tuple[int, ...]], ...] = (
    (_CANARY, (90, 10)),
    _REPLACE,
    (f"blueGreen: {_PAIR}\n", (100, 0)),
    ("ab:\n  split: {old: 70, new: 30}\n  match:\n    - {version: new, header: {name: X-Arm, value: new}}\n", (70, 30)),
    (f"shadow: {_PAIR}\n", (100, 0)),
)
_STRATEGIES_ON_KNATIVE = _STRATEGIES[:3]


def _version(model: Model, replicas: int) -> str:
    name = "new" if model.number % 2 else "old"
    return (
        f'name: {name}\nmodel: {model.name}@{model.number}\ndigest: "{model.digest}"\n'
        f"replicas: {{min: 1, max: {replicas}}}\nresources: {{cpus: 500m, memory: 2Gi}}\n"
    )


def _folder(tenant: str, project: str) -> str:
    return f"tenants/{tenant}/projects/{project}"


def _document(kind: str, schema: str, depth: int, spec: str) -> str:
    """Return a document; `depth` is how many folders up platform/ lies."""
    head = f"# yaml-language-server: $schema={'../' * depth}platform/schemas/{schema}.json\n"
    return f"{head}apiVersion: ordain.dev/v1alpha1\nkind: {kind}\nspec:\n{_in(spec)}"


def _in(text: str) -> str:
    return indent(text, "  ")


def _item(text: str) -> str:
    """Return a mapping as an item of a list."""
    return f"- {_in(text)[2:]}"


def _packages() -> Iterator[tuple[str, bytes]]:
    for name in ("hello", "train-classifier"):
        package = (ROOT / "templates" / name / "1.0.0" / "pipeline.yaml").read_bytes()
        yield from ((f"templates/{name}/1.{number}.0/pipeline.yaml", package) for number in range(TEMPLATE_VERSIONS))


def _shared(tenants: Iterable[str], projects: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield "platform/platform.yaml", _document("Platform", "platform", 0, _PLATFORM)
    yield "platform/clusters/main.yaml", _document("Cluster", "cluster", 1, _CLUSTER.format("Standard"))
    yield "platform/clusters/burst.yaml", _document("Cluster", "cluster", 1, _CLUSTER.format("Knative"))
    for name in ("hello", "train-classifier"):
        template = (ROOT / "templates" / name / "1.0.0" / "template.yaml").read_text(encoding="utf-8")
        yield from ((f"templates/{name}/1.{number}.0/template.yaml", template) for number in range(TEMPLATE_VERSIONS))
    for number in range(TEMPLATE_VERSIONS):
        yield f"templates/finetune/1.{number}.0/template.yaml", _document("Template", "template", 3, _TRAINING)
    for tenant in tenants:
        yield f"tenants/{tenant}/tenant.yaml", _document("Tenant", "tenant", 2, _TENANT.format(tenant))
        for project, cluster in projects.items():
            path = f"{_folder(tenant, project)}/project.yaml"
            yield path, _document("Project", "project", 4, _PROJECT.format(cluster))


_PLATFORM = """\
baseDomain: ml.example.com
repository:
  uid: 6f1cdd9e-4d3b-4a39-9f0e-0a6a2f7a1b11
  home: local
admins:
  - group: ml-platform
images:
  allow:
    - docker.io/library/python:3.*
    - nvcr.io/nvidia/tritonserver:*
    - registry.example.com/ml/*
prices:
  gpuHour: {nvidia-l4: 0.80}
  cpuHour: 0.04
  memoryGiBHour: 0.005
  currency: USD
changeLimits:
  deletedDeployments: {atMost: 20%, floor: 3}
  tenantsTouched: 5
"""
_CLUSTER = """\
driver: kubernetes
kubernetes:
  argocd:
    namespace: argocd
    repoURL: https://git.example.com/platform/intents.git
  kfp:
    endpoint: https://pipelines.example.com
kserve:
  mode: {}
  version: "0.20"
gpuPools:
  - type: nvidia-l4
    count: 1000
    nodeSelector: {{cloud.example.com/gpu: l4}}
    tolerations:
      - {{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}}
capacity:
  cpus: 500000
  memory: 2Pi
"""
_TENANT = """\
displayName: {0}, a tenant
hostnames: [{0}]
defaultProject: fraud
quota:
  cpus: 5000
  memory: 20Ti
  gpus: {{nvidia-l4: 100}}
  concurrentRuns: 50
members:
  - user: ana@example.com
    roles: [admin]
  - group: {0}-ml
    roles: [developer, approver]
egress:
  - {{to: 10.20.0.0/16, ports: [443, 5432]}}
"""
_PROJECT = """\
cluster: {}
quota:
  cpus: 1000
  memory: 4Ti
  gpus: {{nvidia-l4: 20}}
  concurrentRuns: 10
approvals:
  ModelDeployment: 1
"""
_TRAINING = """\
training:
  image: registry.example.com/ml/encoder-trainer:2.3
  command: [python, -m, encoder_trainer]
parameters:
  type: object
  additionalProperties: false
  properties:
    epochs:
      type: integer
      minimum: 1
      maximum: 50
      default: 5
resources:
  cpus: 8
  memory: 32Gi
tenants: ["*"]
models:
  - {task: train, output: model}
"""
