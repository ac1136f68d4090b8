"""A Triton model repository with one model: what its files say, and where they contradict each other.

https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_repository.md has the layout.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from intents.triton_messages import NotOnnx, parse_config, parse_onnx

GPU = "KIND_GPU"
CONFIG = "config.pbtxt"


class Complaint(NamedTuple):
    """One thing that is wrong with a repository: a code of the catalogue, the file, and what a person does."""

    code: str
    path: str
    message: str
    hint: str = ""


# By platform: the backend that it means, and the file or folder that the backend loads by default.
_PLATFORMS = {
    "onnxruntime_onnx": ("onnxruntime", "model.onnx"),
    "tensorrt_plan": ("tensorrt", "model.plan"),
    "pytorch_libtorch": ("pytorch", "model.pt"),
    "tensorflow_savedmodel": ("tensorflow", "model.savedmodel"),
    "tensorflow_graphdef": ("tensorflow", "model.graphdef"),
}
_BACKENDS = {
    "onnxruntime": ("model.onnx",),
    "tensorrt": ("model.plan",),
    "pytorch": ("model.pt",),
    "tensorflow": ("model.savedmodel", "model.graphdef"),
    "openvino": ("model.xml", "model.onnx"),
    "fil": ("xgboost.model", "xgboost.json", "model.txt", "checkpoint.tl"),
}
_CODE = re.compile(r"\.(?:py|pyc|pyo|so)$|\.so\.")
_CODE_BACKENDS = frozenset({"python"})
_ONLY_VERSION = "1"
_CODE_HINT = "export the model to ONNX: a tenant's model may not bring code into the server"


def layout_complaints(paths: Collection[str], model: str, signature: Mapping[str, Any]) -> Iterator[Complaint]:
    """Yield what is wrong with the names of the files of `model`, and with them against its signature."""
    for path in paths:
        if not path.startswith(f"{model}/"):
            yield Complaint("model-layout", path, f"{path} does not lie in the model's folder {model}/")
        elif _CODE.search(path):
            yield Complaint("model-is-code", path, f"{path} is code", _CODE_HINT)
    if f"{model}/{CONFIG}" not in paths:
        yield Complaint("model-layout", "", f"there is no {model}/{CONFIG}")
    yield from _versions(paths, model)
    yield from _backend(paths, model, signature)


def check_repository(files: Mapping[str, bytes], model: str) -> tuple[Complaint, ...]:
    """Return everything wrong with the files of `model`, by their paths from the repository's root.

    config.pbtxt must be one; its name is the folder's, or absent; its platform has its file; and its inputs and
    outputs are those of the ONNX file, where it is one.
    """
    body = files.get(f"{model}/{CONFIG}")
    if body is None:
        return tuple(layout_complaints(files, model, {}))
    try:
        config = parse_config(body)
    except ValueError as error:
        wrong = Complaint("model-config", f"{model}/{CONFIG}", f"{CONFIG} is no Triton model configuration: {error}")
        return (*layout_complaints(files, model, {}), wrong)
    found = layout_complaints(files, model, signature_of(config))
    return (*found, *_config(config, model), *_onnx(files, model, config))


def signature_of(config: Any) -> dict[str, Any]:
    """Return what a ModelVersion keeps of a configuration: enough to check a deployment without the files.

    `platform`, `backend`, `instanceKinds` (KIND_GPU, KIND_CPU, …) and `file` where they are set, `inputs` and
    `outputs` with name, datatype as the V2 protocol spells it, and shape, -1 for what varies.
    """
    plain = {"platform": config.platform, "backend": config.backend, "file": config.default_model_filename}
    kinds = sorted({_enum(group, "kind") for group in config.instance_group})
    batched = config.max_batch_size > 0
    tensors = {
        "inputs": [_tensor(each, batched=batched) for each in config.input],
        "outputs": [_tensor(each, batched=batched) for each in config.output],
    }
    return {key: value for key, value in {**plain, "instanceKinds": kinds, **tensors}.items() if value}


def _tensor(tensor: Any, *, batched: bool) -> dict[str, Any]:
    found = _enum(tensor, "data_type")
    datatype = {"TYPE_STRING": "BYTES"}.get(found, found.removeprefix("TYPE_"))
    return {"name": tensor.name, "datatype": datatype, "shape": [-1] * batched + list(tensor.dims)}


def _versions(paths: Collection[str], model: str) -> Iterator[Complaint]:
    """Triton takes folders named by a number for versions; its own version is always 1 here."""
    folders = {path.split("/")[1] for path in paths if path.startswith(f"{model}/") and path.count("/") > 1}
    if _ONLY_VERSION not in folders:
        yield Complaint("model-layout", "", f"there is nothing in {model}/{_ONLY_VERSION}/")
    for name in sorted(folders - {_ONLY_VERSION}):
        if name.isascii() and name.isdigit():
            path = next(path for path in sorted(paths) if path.startswith(f"{model}/{name}/"))
            hint = "register each version by itself; ordain counts them"
            yield Complaint("model-layout", path, f"{model}/{name}/ is a second version inside this one", hint)


def _backend(paths: Collection[str], model: str, signature: Mapping[str, Any]) -> Iterator[Complaint]:
    """The backend brings no code into the server, and the file that it loads is there."""
    platform, backend = str(signature.get("platform", "")), str(signature.get("backend", ""))
    meant, _ = _PLATFORMS.get(platform, ("", ""))
    if {platform, backend} & _CODE_BACKENDS:
        yield Complaint("model-is-code", f"{model}/{CONFIG}", "the python backend runs code in the server", _CODE_HINT)
        return
    if backend and meant and backend != meant:
        message = f"platform {platform} is of the backend {meant}, not {backend}"
        yield Complaint("model-config", f"{model}/{CONFIG}", message, "keep one of the two")
        return
    wanted = _wanted_files(platform, backend, str(signature.get("file", "")))
    places = [f"{model}/{_ONLY_VERSION}/{name}" for name in wanted]
    if places and not any(path == place or path.startswith(f"{place}/") for path in paths for place in places):
        message = f"{platform or backend} loads {' or '.join(places)}, which is not there"
        yield Complaint("model-layout", "", message)


def _wanted_files(platform: str, backend: str, named: str) -> tuple[str, ...]:
    if named:
        return (named,)
    if platform in _PLATFORMS:
        return (_PLATFORMS[platform][1],)
    return _BACKENDS.get(backend, ())


def _config(config: Any, model: str) -> Iterator[Complaint]:
    path = f"{model}/{CONFIG}"
    if config.name not in {"", model}:
        hint = "leave the name out, or make it the folder's"
        yield Complaint("model-config", path, f"{CONFIG} is of {config.name!r}, its folder is {model}/", hint)
    if not config.platform and not config.backend:
        yield Complaint("model-config", path, f"{CONFIG} names neither a platform nor a backend", "add `backend`")
    if not config.input or not config.output:
        yield Complaint("model-config", path, f"{CONFIG} does not list its inputs and outputs")
    if config.runtime or config.model_repository_agents.agents:
        message = f"{CONFIG} sets runtime or model_repository_agents, which load code into the server"
        yield Complaint("model-is-code", path, message, _CODE_HINT)
    if any(parameter.key == "EXECUTION_ENV_PATH" for parameter in config.parameters):
        yield Complaint("model-is-code", path, f"{CONFIG} sets EXECUTION_ENV_PATH, which runs code", _CODE_HINT)
    if list(config.version_policy.specific.versions) not in ([], [1]):
        message = f"version_policy asks for versions that are not there: there is {_ONLY_VERSION} only"
        yield Complaint("model-config", path, message, "remove version_policy")


def _onnx(files: Mapping[str, bytes], model: str, config: Any) -> Iterator[Complaint]:
    """Every input and output of the configuration is one of the ONNX graph, of the same type."""
    name = config.default_model_filename or "model.onnx"
    body = files.get(f"{model}/{_ONLY_VERSION}/{name}")
    if body is None or "onnxruntime" not in {config.backend, _PLATFORMS.get(config.platform, ("",))[0]}:
        return
    path = f"{model}/{_ONLY_VERSION}/{name}"
    try:
        graph = parse_onnx(body)
    except NotOnnx:
        yield Complaint("model-config", path, f"{path} is no ONNX file")
        return
    weights = {each.name for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in weights]
    batched = config.max_batch_size > 0
    for sort, wanted, found in (("input", config.input, inputs), ("output", config.output, graph.output)):
        yield from _tensors(f"{model}/{CONFIG}", sort, wanted, found, batched=batched)
    for missing in sorted({each.name for each in inputs} - {each.name for each in config.input}):
        yield Complaint("model-config", f"{model}/{CONFIG}", f"the ONNX file has an input {missing} not listed here")


def _tensors(path: str, sort: str, wanted: Any, found: Any, *, batched: bool) -> Iterator[Complaint]:
    known = {each.name: each.type.tensor_type for each in found}
    for tensor in wanted:
        if tensor.name not in known:
            message = f"the ONNX file has no {sort} {tensor.name}; it has {', '.join(sorted(known)) or 'none'}"
            yield Complaint("model-config", path, message)
            continue
        given = _ONNX_TYPES.get(known[tensor.name].elem_type, "another type")
        if (asked := _enum(tensor, "data_type")) != given:
            message = f"{sort} {tensor.name} is of {given} in the ONNX file, of {asked} here"
            yield Complaint("model-config", path, message)
        elif wrong := _shapes_differ(tensor, known[tensor.name], batched=batched):
            yield Complaint("model-config", path, f"{sort} {tensor.name} {wrong}")


def _shapes_differ(tensor: Any, onnx: Any, *, batched: bool) -> str:
    """Sizes that both sides fix are equal. A batch is the first dimension of the file and none of the dims."""
    if tensor.HasField("reshape") or not onnx.HasField("shape"):
        return ""
    sizes = [each.dim_value if each.HasField("dim_value") else -1 for each in onnx.shape.dim]
    dims = [-1] * batched + list(tensor.dims)
    if len(sizes) == len(dims) and all(size == dim or -1 in {size, dim} for size, dim in zip(sizes, dims, strict=True)):
        return ""
    return f"has the shape {sizes} in the ONNX file, {dims} here{' with the batch' if batched else ''}"


# onnx.proto, TensorProto.DataType → model_config.proto, DataType.
_ONNX_TYPES = {
    1: "TYPE_FP32",
    2: "TYPE_UINT8",
    3: "TYPE_INT8",
    4: "TYPE_UINT16",
    5: "TYPE_INT16",
    6: "TYPE_INT32",
    7: "TYPE_INT64",
    8: "TYPE_STRING",
    9: "TYPE_BOOL",
    10: "TYPE_FP16",
    11: "TYPE_FP64",
    12: "TYPE_UINT32",
    13: "TYPE_UINT64",
    16: "TYPE_BF16",
}


def _enum(message: Any, field: str) -> str:
    """Return the name of a field's value."""
    described = message.DESCRIPTOR.fields_by_name[field].enum_type
    name: str = described.values_by_number[getattr(message, field)].name
    return name
