"""KFP's own messages: a package is what they accept, strictly. Loaded late, and without the kfp package around them."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import yaml

_DOCUMENTS = 2
_DEEPEST = 100
SCHEMA_VERSION = "2.1.0"
"""The only one that the API server takes."""
PLATFORM = "kubernetes"


@dataclass(frozen=True)
class Pipeline:
    """A package as it was read: the PipelineSpec, and what its platform spec says of each executor."""

    spec: Mapping[str, Any]
    platform: Mapping[str, Any] = field(default_factory=dict)
    """Configurations of KFP's kubernetes platform by the executor's label."""

    @property
    def components(self) -> Mapping[str, Any]:
        """Components by name, without the root."""
        return _mapping(self.spec.get("components"))

    @property
    def executors(self) -> Mapping[str, Any]:
        """Executors by label."""
        return _mapping(_mapping(self.spec.get("deploymentSpec")).get("executors"))

    @property
    def root(self) -> Mapping[str, Any]:
        """The component that is the pipeline itself."""
        return _mapping(self.spec.get("root"))


def parse_package(package: bytes) -> Pipeline:
    """Read a package: one PipelineSpec, and at most one platform spec after it. Raises ValueError, strictly."""
    # Loaded late: whoever checks no package does not pay for protobuf.
    from google.protobuf.json_format import ParseError  # noqa: PLC0415

    try:
        _refuse_bombs(package)
        documents = list(yaml.load_all(package, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {error}") from error
    if not 1 <= len(documents) <= _DOCUMENTS or not all(isinstance(each, dict) for each in documents):
        raise ValueError("a package is one PipelineSpec and at most one platform spec")
    try:
        spec = _pipeline_spec(documents[0])
    except ParseError as error:
        raise ValueError(f"no KFP PipelineSpec: {error}") from error
    try:
        platform = _platform(documents[1]) if len(documents) == _DOCUMENTS else {}
    except ParseError as error:
        raise ValueError(f"no KFP platform spec: {error}") from error
    return Pipeline(spec, platform)


def _refuse_bombs(package: bytes) -> None:
    """Raise ValueError for aliases, a few lines of which grow beyond every bound, and for nesting without end.

    No compiled package has either. Events are looked at, because composing nodes is where both would hurt.
    """
    depth, aliased = 0, False
    for event in yaml.parse(package, Loader=yaml.CSafeLoader):
        aliased = aliased or isinstance(event, yaml.AliasEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
    if aliased:
        raise ValueError("it holds aliases; a compiled package writes everything out")


def _pipeline_spec(document: Mapping[str, Any]) -> dict[str, Any]:
    messages = _pipeline_messages()
    spec = _normal(document, messages.PipelineSpec)
    # PipelineSpec holds it as a free Struct: unknown container fields show only here.
    spec["deploymentSpec"] = _normal(spec.get("deploymentSpec", {}), messages.PipelineDeploymentConfig)
    if spec.get("schemaVersion") != SCHEMA_VERSION:
        raise ValueError(f"schemaVersion is {spec.get('schemaVersion')!r}; KFP takes {SCHEMA_VERSION} only")
    return spec


def _platform(document: Mapping[str, Any]) -> dict[str, Any]:
    platforms = _normal(document, _pipeline_messages().PlatformSpec).get("platforms", {})
    if others := sorted(platforms.keys() - {PLATFORM}):
        raise ValueError(f"the platform {others[0]} is none that packages run on: only {PLATFORM} is")
    executors = platforms.get(PLATFORM, {}).get("deploymentSpec", {}).get("executors", {})
    message = _kubernetes_messages().KubernetesExecutorConfig
    return {label: _normal(config, message) for label, config in executors.items()}


def _normal(document: Mapping[str, Any], message: Callable[[], Any]) -> dict[str, Any]:
    """Return the one JSON form of a message: a package may also write `component_ref`, and null for nothing.

    What is looked at must be what KFP will see. Raises ParseError for anything that the message does not have.
    """
    from google.protobuf.json_format import MessageToDict, ParseDict  # noqa: PLC0415

    return MessageToDict(ParseDict(dict(document), message()))


@cache
def _pipeline_messages() -> ModuleType:
    """Load kfp.pipeline_spec.pipeline_spec_pb2. With the kfp package it takes 100 MB and seconds, alone 3 MB."""
    return _load("pipeline_spec/pipeline_spec_pb2.py", {})


@cache
def _kubernetes_messages() -> ModuleType:
    """Load kfp.kubernetes.kubernetes_executor_config_pb2, which imports the messages above from the kfp package."""

    def imported(name: str, *rest: Any) -> Any:
        if name == "kfp.pipeline_spec":
            return SimpleNamespace(pipeline_spec_pb2=_pipeline_messages())
        return builtins.__import__(name, *rest)

    hooked = {**vars(builtins), "__import__": imported}
    return _load("kubernetes/kubernetes_executor_config_pb2.py", {"__builtins__": hooked})


def _load(file: str, names: Mapping[str, Any]) -> ModuleType:
    package = find_spec("kfp")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("kfp is not installed: packages cannot be checked")
    path = Path(package.submodule_search_locations[0], file)
    spec = spec_from_file_location(f"ordain_kfp_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"{path} cannot be loaded")
    module = module_from_spec(spec)
    vars(module).update(names)
    spec.loader.exec_module(module)
    return module


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
