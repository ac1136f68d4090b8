"""ModelDeployments and Rollouts: models, digests, weights, and what a served name stands for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from intents.checks.rule import Change, repeated
from intents.documents import Document
from intents.hints import nearest
from intents.kinds import Kind, ModelDeploymentSpec, RolloutSpec
from intents.kinds.model_deployment import Version
from intents.problems import Problem

_WHOLE = 100


def deployment_is_consistent(change: Change) -> Iterator[Problem]:
    """Its versions are there, are one model's, and no name that is served gets another meaning."""
    document, spec = change.document, change.document.spec
    if not isinstance(spec, ModelDeploymentSpec):
        return
    yield from _names_differ(document, "versions", spec.versions)
    yield from _models_exist(change, "versions", spec.versions)
    yield from _replace_has_one(document, spec)
    who = document.identity
    rollout = change.head.rollout(who.tenant, who.project, who.name)
    served = (*rollout.spec.live, *rollout.spec.last_good) if rollout else ()
    yield from _one_model(document, "versions", spec.versions, served)
    yield from _names_keep_meaning(document, "versions", spec.versions, served)
    yield from _derived_names_differ(change, spec)


def rollout_is_consistent(change: Change) -> Iterator[Problem]:
    """It moves a deployment; its versions are there; its weights make a whole."""
    document, spec, who = change.document, change.document.spec, change.document.identity
    if not isinstance(spec, RolloutSpec):
        return
    if change.head.deployment(who.tenant, who.project, who.name) is None:
        hint = "remove both in one change"
        yield Problem("orphan-rollout", change.path, 0, 0, f"there is no deployment {who.name}", hint)
    yield from _weights_make_a_whole(document, spec)
    yield from _names_differ(document, "live", spec.live)
    yield from _one_model(document, "live", spec.live, ())
    yield from _names_keep_meaning(document, "lastGood", spec.last_good, spec.live)
    before = change.before.spec if change.before else None
    served = (*before.live, *before.last_good) if isinstance(before, RolloutSpec) else ()
    for field, versions in (("live", spec.live), ("lastGood", spec.last_good)):
        yield from _models_exist(change, field, versions)
        yield from _names_keep_meaning(document, field, versions, served)


def served_models(document: Document) -> frozenset[str]:
    """Return the model versions, as `name@number`, that a deployment or rollout names."""
    spec = document.spec
    versions: Sequence[Version] = ()
    if isinstance(spec, ModelDeploymentSpec):
        versions = spec.versions
    elif isinstance(spec, RolloutSpec):
        versions = (*spec.live, *spec.last_good)
    return frozenset(each.model for each in versions)


def affected_by_serving(change: Change) -> set[str]:
    """Return the paths whose rules look at this one."""
    document = change.after or change.before
    if document is None or document.identity.kind not in {Kind.MODEL_DEPLOYMENT, Kind.ROLLOUT}:
        return set()
    who = document.identity
    names = {who.name, *_namesakes(who.name, document.spec)}
    found = (change.head.deployment(who.tenant, who.project, name) for name in names)
    rollout = change.head.rollout(who.tenant, who.project, who.name)
    return {each.path for each in (*found, rollout) if each}


def _namesakes(name: str, spec: object) -> Iterator[str]:
    """Yield deployments whose HTTPRoute or InferenceService could carry the name of one of this one's."""
    parent, found, _ = name.rpartition("-")
    if found:
        yield parent
    yield f"{name}{_PREDICTOR}"
    if isinstance(spec, ModelDeploymentSpec):
        yield from (f"{name}-{version.name}" for version in spec.versions)


def _names_differ(document: Document, field: str, versions: Sequence[Version]) -> Iterator[Problem]:
    for position, name in repeated(each.name for each in versions):
        message = f"two versions are called {name}"
        yield document.problem("duplicate-name", message, "spec", field, position, "name", hint="rename one")


def _models_exist(change: Change, field: str, versions: Sequence[Version]) -> Iterator[Problem]:
    document, who = change.document, change.document.identity
    for position, version in enumerate(versions):
        known = change.head.model_version(who.tenant, who.project, version.model)
        if known is None:
            yield from _unknown_model(change, field, position, version)
        elif known.spec.digest != version.digest:
            message = f"the digest of {version.model} is {known.spec.digest}"
            yield document.problem("digest-mismatch", message, "spec", field, position, "digest")


def _unknown_model(change: Change, field: str, position: int, version: Version) -> Iterator[Problem]:
    """Report a model version that is not there; where the change removes it, that is reported there."""
    document, who = change.document, change.document.identity
    if change.base.model_version(who.tenant, who.project, version.model):
        return
    numbers = change.head.model_versions(who.tenant, who.project, version.model_name)
    models = change.head.models(who.tenant, who.project)
    hint = (
        f"versions of {version.model_name}: {', '.join(map(str, numbers))}"
        if numbers
        else nearest(version.model_name, models, "models")
    )
    message = f"project {who.project} has no model version {version.model}"
    yield document.problem("unknown-model-version", message, "spec", field, position, "model", hint=hint)


def _replace_has_one(document: Document, spec: ModelDeploymentSpec) -> Iterator[Problem]:
    if spec.traffic.replace is not None and len(spec.versions) > 1:
        message = "the strategy `replace` serves one version; the rollout keeps the one before alive"
        yield document.problem("replace-one-version", message, "spec", "versions", 1, hint="keep the new one")


def _one_model(
    document: Document, field: str, versions: Sequence[Version], served: Sequence[Version]
) -> Iterator[Problem]:
    """All versions share one V2 path, /v2/models/<model>/infer, with those that are served already."""
    first = (*served, *versions)[0].model_name
    for position, version in enumerate(versions):
        if version.model_name != first:
            message = f"this deployment serves {first}, not {version.model_name}: its path names one model"
            hint = "make another deployment for another model"
            yield document.problem("mixed-models", message, "spec", field, position, "model", hint=hint)


def _names_keep_meaning(
    document: Document, field: str, versions: Sequence[Version], served: Sequence[Version]
) -> Iterator[Problem]:
    """A name in live or lastGood never gets another model or digest: the same pods would answer otherwise."""
    meanings = {each.name: (each.model, each.digest) for each in served}
    for position, version in enumerate(versions):
        if meanings.get(version.name, (version.model, version.digest)) != (version.model, version.digest):
            model, digest = meanings[version.name]
            message = f"{version.name} is served as {model} with {digest[:19]}…"
            hint = "give the new version another name"
            yield document.problem("version-changed", message, "spec", field, position, "name", hint=hint)


def _weights_make_a_whole(document: Document, spec: RolloutSpec) -> Iterator[Problem]:
    for field, versions in (("live", spec.live), ("lastGood", spec.last_good)):
        total = sum(each.weight for each in versions)
        if versions and total != _WHOLE:
            sums = " + ".join(str(each.weight) for each in versions)
            yield document.problem("weights-sum", f"{sums} = {total}, not {_WHOLE}", "spec", field)


_PREDICTOR = "-predictor"
"""KServe names the Services of an InferenceService after it, with and without this at the end."""


def _derived_names_differ(change: Change, spec: ModelDeploymentSpec) -> Iterator[Problem]:
    """KServe names HTTPRoutes after InferenceServices, `<deployment>-<version>`; ours is `<deployment>`.

    In Knative mode the InferenceService is `<deployment>`, and so are its Services.
    """
    document, who = change.document, change.document.identity
    for position, version in enumerate(spec.versions):
        name = f"{who.name}-{version.name}"
        if change.head.deployment(who.tenant, who.project, name):
            message = f"version {version.name} is served as {name}, which is a deployment's name"
            yield document.problem("derived-name-clash", message, "spec", "versions", position, "name")
    for name in {who.name, who.name.removesuffix(_PREDICTOR)}:
        longer = f"{name}{_PREDICTOR}"
        if all(change.head.deployment(who.tenant, who.project, each) for each in (name, longer)):
            message = f"deployment {name} would have a Service called {longer}, which is a deployment's name"
            yield Problem("derived-name-clash", change.path, 0, 0, message, "rename one of the two")
    parent, _, last = who.name.rpartition("-")
    other = change.head.deployment(who.tenant, who.project, parent) if parent else None
    if other and any(each.name == last for each in other.spec.versions):
        message = f"version {last} of deployment {parent} is served as {who.name}"
        yield Problem("derived-name-clash", change.path, 0, 0, message, "rename the deployment")
