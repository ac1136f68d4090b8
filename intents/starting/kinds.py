"""The starting document of each kind that people write."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from intents.documents import Document
from intents.hints import nearest
from intents.identity import Identity
from intents.kinds import Kind, TemplateSpec
from intents.starting.layout import Lines, Started, start
from intents.starting.parameters import parameter_lines
from intents.tree import Tree


class CannotStart(Exception):
    """What is asked for cannot be started from this tree. The message says what there is instead."""


@dataclass(frozen=True)
class Start:
    """Where a document starts: in this tree, in this project, under this name."""

    tree: Tree
    tenant: str
    project: str
    name: str

    def identity(self, kind: Kind, date: str = "") -> Identity:
        """Return the identity of the intent to be written."""
        return Identity(kind, self.name, self.tenant, self.project, date=date)


def cluster(name: str, driver: str, kubernetes: Mapping[str, Any] | None = None) -> Started:
    """Start a cluster; `kubernetes` as the driver of that name needs it."""
    spec: dict[str, Any] = {"driver": driver}
    if kubernetes is not None:
        spec["kubernetes"] = kubernetes
    return start(Identity(Kind.CLUSTER, name), spec)


def tenant(name: str, default_project: str) -> Started:
    """Start a tenant; its default project must be started with it."""
    spec = {"displayName": name.replace("-", " ").title(), "hostnames": [name], "defaultProject": default_project}
    return start(Identity(Kind.TENANT, name, tenant=name), spec)


def project(tree: Tree, tenant: str, name: str, cluster: str | None) -> Started:
    """Start a project on `cluster`, or where there is only one, on that. Raises CannotStart."""
    chosen = cluster or _only_cluster(tree)
    return start(Identity(Kind.PROJECT, name, tenant, name), {"cluster": chosen})


def _only_cluster(tree: Tree) -> str:
    names = sorted(document.identity.name for document in tree.of_kind(Kind.CLUSTER).values())
    match names:
        case [only]:
            return only
        case []:
            raise CannotStart("there is no cluster yet: start one with `ordain new cluster`")
    raise CannotStart(f"there are several clusters, choose one: {', '.join(names)}")


def run(at: Start, template: str, date: str) -> Started:
    """Start a run of `template`, which may leave out its version for the newest. Raises CannotStart."""
    return start(at.identity(Kind.RUN, date), _request(_template(at.tree, template, training=False)))


def schedule(at: Start, template: str, cron: str) -> Started:
    """Start a schedule of `template`. Raises CannotStart."""
    spec = {"cron": cron, "run": _request(_template(at.tree, template, training=False))}
    return start(at.identity(Kind.SCHEDULE), spec)


def training_job(at: Start, template: str) -> Started:
    """Start a training job of `template`. Raises CannotStart."""
    return start(at.identity(Kind.TRAINING_JOB), _request(_template(at.tree, template, training=True)))


def _template(tree: Tree, reference: str, *, training: bool) -> Document[TemplateSpec]:
    found = tree.template(reference)
    if found is None:
        known = tree.templates()
        names = known if "@" in reference else sorted({each.identity.name for each in known.values()})
        raise CannotStart(f"there is no template {reference}: {nearest(reference, names, 'templates')}")
    if (found.spec.training is not None) is not training:
        kind, command = ("training program", "training-job") if found.spec.training else ("pipeline", "run")
        raise CannotStart(f"template {_reference(found)} is a {kind}: start a {command} of it")
    return found


def _reference(template: Document[TemplateSpec]) -> str:
    return f"{template.identity.name}@{template.identity.version}"


def _request(template: Document[TemplateSpec]) -> dict[str, Any]:
    parameters = parameter_lines(template.spec.parameters)
    request: dict[str, Any] = {"template": _reference(template)}
    return request if parameters is None else {**request, "parameters": parameters}


def deployment(at: Start, model: str) -> Started:
    """Start a deployment of `model`, which may leave out its number for the newest version. Raises CannotStart."""
    if at.tree.project(at.tenant, at.project) is None:
        known = at.tree.projects(at.tenant)
        raise CannotStart(f"tenant {at.tenant} has no project {at.project}: {nearest(at.project, known, 'projects')}")
    name, _, number = model.partition("@")
    versions = at.tree.model_versions(at.tenant, at.project, name)
    if not versions:
        models = at.tree.models(at.tenant, at.project)
        raise CannotStart(f"project {at.project} has no model {name}: {nearest(name, models, 'models')}")
    chosen = number or str(max(versions))
    found = versions.get(int(chosen)) if chosen.isdecimal() else None
    if found is None:
        raise CannotStart(f"{name} has no version {chosen}: {', '.join(f'{name}@{each}' for each in versions)}")
    version = {"name": f"v{chosen}"[:8], "model": f"{name}@{chosen}", "digest": found.spec.digest, **_SMALL}
    spec = {"runtime": "triton", "versions": [version], "traffic": {"replace": {}}}
    return start(at.identity(Kind.MODEL_DEPLOYMENT), spec, "Other strategies: ordain explain ModelDeployment.traffic")


_SMALL: Mapping[str, Any] = {"replicas": {"min": 1, "max": 1}, "resources": {"cpus": "1", "memory": "1Gi"}}


def training_template(name: str, version: str, image: str) -> Started:
    """Start a template of a training program in `image`."""
    training = {"image": image, "command": ["python", "-m", "train"]}
    epochs = {"type": "integer", "minimum": 1, "default": 5, "description": "How often it sees all the data."}
    parameters = {"type": "object", "additionalProperties": False, "properties": {"epochs": epochs}}
    spec = {"training": training, "parameters": parameters}
    return start(Identity(Kind.TEMPLATE, name, version=version), spec)


def pipeline_template(name: str, version: str, package: bytes, parameters: Mapping[str, Any]) -> Started:
    """Start a template with a compiled package, which takes `parameters`, a JSON Schema."""
    # In quotes, as compile.py writes it: digits and an `e` alone would be a number.
    named = Lines(("file: pipeline.yaml", f'sha256: "{hashlib.sha256(package).hexdigest()}"'))
    spec = {"package": named, "parameters": parameters}
    return start(Identity(Kind.TEMPLATE, name, version=version), spec)
