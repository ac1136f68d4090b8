"""Which intent stands at which path; the path is its name, so nothing is repeated inside."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

from intents.kinds.base import Kind
from intents.names import complaint, date_complaint
from intents.problems import InvalidIntent, Problem


@dataclass(frozen=True, slots=True)
class Identity:
    """The name of one intent. `tenant` and `project` are set for everything inside one, and for itself."""

    kind: Kind
    name: str
    tenant: str = ""
    project: str = ""
    version: str = ""
    """Of a Template (`1.0.0`) or a ModelVersion (`1`)."""
    date: str = ""
    """Of a Run: the folder it lies in, YYYY-MM-DD."""


def identify(path: str) -> Identity | None:
    """Return the identity of the intent at `path`, or None where no intent can be."""
    identity = _parse(path)
    return identity if identity is not None and not complaints(identity) else None


def path_of(identity: Identity) -> str:
    """Return the path of an intent. Raises InvalidIntent for names that cannot be."""
    path = _PATHS[identity.kind].format(identity)
    if wrong := complaints(identity):
        raise InvalidIntent(Problem("invalid-name", path, 0, 0, message) for message in wrong)
    return path


def path_form(kind: Kind) -> str:
    """Return where intents of a kind lie: `tenants/<tenant>/projects/<project>/schedules/<schedule>.yaml`."""
    name = f"<{_NAMED_LIKE[kind].replace(' ', '-')}>" if kind in _NAMED_LIKE else ""
    return _PATHS[kind].format(Identity(kind, name, "<tenant>", "<project>", "<version>", "<YYYY-MM-DD>"))


def namespace(tenant: str, project: str) -> str:
    """Return the Kubernetes namespace of a project. No name holds `--`, so no two projects meet."""
    return f"{tenant}--{project}"


def run_uid(repository: UUID, path: str) -> UUID:
    """Return the uid of the run at `path`: the same in every place that knows the repository."""
    return uuid5(repository, path)


def misplaced(path: str) -> Problem | None:
    """Return why the file at `path` cannot be in the repository; None for an intent or a companion file."""
    if path.startswith(("platform/schemas/", "platform/install/")):
        return None
    identity = _parse(path)
    if identity is not None:
        wrong = complaints(identity)
        return Problem("invalid-name", path, 0, 0, "; ".join(wrong)) if wrong else None
    if path.startswith("templates/") and path.count("/") >= 3:  # noqa: PLR2004 - templates/<name>/<version>/…
        return None
    hint = "`ordain explain` lists where each kind of intent lies"
    return Problem("misplaced-file", path, 0, 0, "no intent lies at this path", hint)


def complaints(identity: Identity) -> list[str]:
    """Return what is wrong with the names in `identity`."""
    found = [complaint(what, name) for what, name in _names(identity)]
    if identity.kind is Kind.RUN:
        found.append(date_complaint(identity.date))
    return [wrong for wrong in found if wrong]


_SUFFIX = ".yaml"
_ROLLOUT_SUFFIX = ".rollout.yaml"


def _parse(path: str) -> Identity | None:
    match path.split("/"):
        case ["platform", "platform.yaml"]:
            return Identity(Kind.PLATFORM, "platform")
        case ["platform", "clusters", file] if stem := _stem(file):
            return Identity(Kind.CLUSTER, stem)
        case ["templates", name, version, "template.yaml"]:
            return Identity(Kind.TEMPLATE, name, version=version)
        case ["tenants", tenant, "tenant.yaml"]:
            return Identity(Kind.TENANT, tenant, tenant=tenant)
        case ["tenants", tenant, "projects", project, *rest]:
            return _parse_in_project(tenant, project, rest)
    return None


_FOLDERS = {"schedules": Kind.SCHEDULE, "training": Kind.TRAINING_JOB, "deployments": Kind.MODEL_DEPLOYMENT}
"""Folders of a project that hold one kind, a file each."""


def _parse_in_project(tenant: str, project: str, rest: list[str]) -> Identity | None:
    match rest:
        case ["project.yaml"]:
            return Identity(Kind.PROJECT, project, tenant, project)
        case ["runs", date, file] if stem := _stem(file):
            return Identity(Kind.RUN, stem, tenant, project, date=date)
        case ["models", model, file] if stem := _stem(file):
            return Identity(Kind.MODEL_VERSION, model, tenant, project, version=stem)
        case ["deployments", file] if file.endswith(_ROLLOUT_SUFFIX):
            return Identity(Kind.ROLLOUT, file.removesuffix(_ROLLOUT_SUFFIX), tenant, project)
        case [folder, file] if folder in _FOLDERS and (stem := _stem(file)):
            return Identity(_FOLDERS[folder], stem, tenant, project)
    return None


def _stem(file: str) -> str:
    return file.removesuffix(_SUFFIX) if file.endswith(_SUFFIX) else ""


_IN = "tenants/{0.tenant}/projects/{0.project}"
_PATHS = {
    Kind.PLATFORM: "platform/platform.yaml",
    Kind.CLUSTER: "platform/clusters/{0.name}.yaml",
    Kind.TEMPLATE: "templates/{0.name}/{0.version}/template.yaml",
    Kind.TENANT: "tenants/{0.name}/tenant.yaml",
    Kind.PROJECT: "tenants/{0.tenant}/projects/{0.name}/project.yaml",
    Kind.RUN: f"{_IN}/runs/{{0.date}}/{{0.name}}.yaml",
    Kind.SCHEDULE: f"{_IN}/schedules/{{0.name}}.yaml",
    Kind.TRAINING_JOB: f"{_IN}/training/{{0.name}}.yaml",
    Kind.MODEL_VERSION: f"{_IN}/models/{{0.name}}/{{0.version}}.yaml",
    Kind.MODEL_DEPLOYMENT: f"{_IN}/deployments/{{0.name}}.yaml",
    Kind.ROLLOUT: f"{_IN}/deployments/{{0.name}}.rollout.yaml",
}
_NAMED_LIKE = {
    Kind.CLUSTER: "cluster",
    Kind.TENANT: "tenant",
    Kind.PROJECT: "project",
    Kind.TEMPLATE: "template",
    Kind.RUN: "run",
    Kind.SCHEDULE: "schedule",
    Kind.TRAINING_JOB: "training job",
    Kind.MODEL_VERSION: "model",
    Kind.MODEL_DEPLOYMENT: "deployment",
    Kind.ROLLOUT: "deployment",
}
IN_PROJECT = (
    Kind.RUN,
    Kind.SCHEDULE,
    Kind.TRAINING_JOB,
    Kind.MODEL_VERSION,
    Kind.MODEL_DEPLOYMENT,
    Kind.ROLLOUT,
)
"""The kinds that lie inside a project."""


def _names(identity: Identity) -> list[tuple[str, str]]:
    """List every name in the path with its sort."""
    names = [(_NAMED_LIKE[identity.kind], identity.name)] if identity.kind in _NAMED_LIKE else []
    if identity.kind in IN_PROJECT or identity.kind is Kind.PROJECT:
        names.append(("tenant", identity.tenant))
    if identity.kind in IN_PROJECT:
        names.append(("project", identity.project))
    if identity.kind is Kind.TEMPLATE:
        names.append(("template version", identity.version))
    if identity.kind is Kind.MODEL_VERSION:
        names.append(("model version", identity.version))
    return names
