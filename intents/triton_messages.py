"""The parts of Triton's and ONNX's messages that are looked at, without either package.

triton-inference-server/common protobuf/model_config.proto has the fields of config.pbtxt, onnx/onnx onnx.proto those of
an ONNX file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

# A string or a comment, left alone; or a field's name before a list.
_LISTED = re.compile(r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|#[^\n]*)|(\w+)(\s*\[)""")


def parse_config(body: bytes) -> Any:
    """Return config.pbtxt as a message with the fields that matter here; others are skipped. Raises ValueError."""
    from google.protobuf import text_format  # noqa: PLC0415 - whoever registers nothing does not pay for protobuf

    try:
        # `field [` means `field: [`, but Python's parser skips unknown lists only when written so.
        text = _LISTED.sub(lambda found: found[1] or f"{found[2]}:{found[3]}", body.decode("utf-8"))
        return text_format.Parse(text, _messages()["Config"](), allow_unknown_field=True)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error


class NotOnnx(ValueError):
    """The bytes are no ONNX model."""


def parse_onnx(body: bytes) -> Any:
    """Return the graph of an ONNX file: its inputs, outputs and the names of its weights. Raises NotOnnx."""
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - as above

    try:
        return _messages()["Model"].FromString(body).graph
    except DecodeError as error:
        raise NotOnnx(str(error)) from error


_ENUMS = {
    # model_config.proto. Text format goes by names, so the numbers are free; 0 is the default.
    "DataType": (
        "TYPE_INVALID TYPE_BOOL TYPE_UINT8 TYPE_UINT16 TYPE_UINT32 TYPE_UINT64 TYPE_INT8 TYPE_INT16 TYPE_INT32 "
        "TYPE_INT64 TYPE_FP16 TYPE_FP32 TYPE_FP64 TYPE_STRING TYPE_BF16"
    ),
    "Kind": "KIND_AUTO KIND_GPU KIND_CPU KIND_MODEL",
}


class _Field(NamedTuple):
    """One field of a message. Text format goes by names, so numbers matter in the ONNX messages only."""

    name: str
    number: int
    sort: str = "string"
    repeated: bool = False


def _texts(*names: str) -> list[_Field]:
    return [_Field(name, number) for number, name in enumerate(names, start=1)]


_SCHEMA: dict[str, list[_Field]] = {
    # model_config.proto
    "Named": _texts("key", "name"),
    "Agents": [_Field("agents", 1, "Named", repeated=True)],
    "Reshape": [_Field("shape", 1, "int64", repeated=True)],
    "Tensor": [
        _Field("name", 1),
        _Field("data_type", 2, "DataType"),
        _Field("dims", 3, "int64", repeated=True),
        _Field("reshape", 4, "Reshape"),
    ],
    "Group": [_Field("kind", 1, "Kind")],
    "Specific": [_Field("versions", 1, "int64", repeated=True)],
    "Policy": [_Field("specific", 1, "Specific")],
    "Config": [
        *_texts("name", "platform", "backend", "runtime", "default_model_filename"),
        _Field("max_batch_size", 6, "int64"),
        _Field("input", 7, "Tensor", repeated=True),
        _Field("output", 8, "Tensor", repeated=True),
        _Field("instance_group", 9, "Group", repeated=True),
        _Field("parameters", 10, "Named", repeated=True),
        _Field("model_repository_agents", 11, "Agents"),
        _Field("version_policy", 12, "Policy"),
    ],
    # onnx.proto
    "Dimension": [_Field("dim_value", 1, "int64"), _Field("dim_param", 2)],
    "Shape": [_Field("dim", 1, "Dimension", repeated=True)],
    "TensorType": [_Field("elem_type", 1, "int64"), _Field("shape", 2, "Shape")],
    "Type": [_Field("tensor_type", 1, "TensorType")],
    "Value": [_Field("name", 1), _Field("type", 2, "Type")],
    "Weights": [_Field("name", 8)],
    "Graph": [
        _Field("initializer", 5, "Weights", repeated=True),
        _Field("input", 11, "Value", repeated=True),
        _Field("output", 12, "Value", repeated=True),
    ],
    "Model": [_Field("graph", 7, "Graph")],
}


@cache
def _messages() -> Mapping[str, Any]:
    """Return message classes by name: the parts of Triton's and ONNX's messages that are looked at here."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # noqa: PLC0415

    field_type = descriptor_pb2.FieldDescriptorProto
    sorts = {"string": field_type.TYPE_STRING, "int64": field_type.TYPE_INT64}
    file = descriptor_pb2.FileDescriptorProto(name="ordain/models.proto", package="ordain.models", syntax="proto2")
    for name, values in _ENUMS.items():
        described = file.enum_type.add(name=name)
        for number, value in enumerate(values.split()):
            described.value.add(name=value, number=number)
    for name, fields in _SCHEMA.items():
        message = file.message_type.add(name=name)
        for each in fields:
            label = field_type.LABEL_REPEATED if each.repeated else field_type.LABEL_OPTIONAL
            made = message.field.add(name=each.name, number=each.number, label=label)
            made.type = sorts.get(each.sort, field_type.TYPE_ENUM if each.sort in _ENUMS else field_type.TYPE_MESSAGE)
            if each.sort not in sorts:
                made.type_name = f".ordain.models.{each.sort}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"ordain.models.{name}")) for name in _SCHEMA
    }
