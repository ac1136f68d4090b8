from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intents.triton import check_repository, signature_of
from intents.triton_messages import parse_config

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "models"
ONNX = (FIXTURES / "double.onnx").read_bytes()  # x → y, rows of four floats
CONFIG = """\
backend: "onnxruntime"  # a comment [ with brackets
max_batch_size: 8
input [ { name: "x" data_type: TYPE_FP32 dims: [ 4 ] } ]
output [ { name: "y", data_type: TYPE_FP32, dims: [ -1 ] } ]
instance_group [ { count: 2 kind: KIND_CPU } ]
dynamic_batching { preferred_batch_size: [ 4, 8 ] }
"""


def repository(config: str = CONFIG, files: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    return {"double/config.pbtxt": config.encode(), "double/1/model.onnx": ONNX, **(files or {})}


def codes(files: dict[str, bytes]) -> list[tuple[str, str]]:
    return [(each.code, each.message) for each in check_repository(files, "double")]


def test_a_sound_repository() -> None:
    assert codes(repository()) == []
    assert codes(repository('name: "double"\nplatform: "onnxruntime_onnx"\n' + CONFIG)) == []
    assert codes(repository(CONFIG + "version_policy: { specific { versions: [ 1 ] } }\n")) == []


def test_what_a_model_version_keeps_of_it() -> None:
    assert signature_of(parse_config(CONFIG.encode())) == {
        "backend": "onnxruntime",
        "instanceKinds": ["KIND_CPU"],
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, -1]}],
    }
    (tensor,) = signature_of(parse_config(b'input { name: "s" data_type: TYPE_STRING dims: 1 }'))["inputs"]
    assert tensor == {"name": "s", "datatype": "BYTES", "shape": [1]}


@pytest.mark.parametrize(
    ("config", "code", "said"),
    [
        ("{", "model-config", "is no Triton model configuration"),
        (CONFIG.replace("TYPE_FP32", "TYPE_FP31"), "model-config", "TYPE_FP31"),
        ('name: "other"\n' + CONFIG, "model-config", "is of 'other', its folder is double/"),
        (CONFIG.replace('backend: "onnxruntime"', ""), "model-config", "neither a platform nor a backend"),
        ('platform: "tensorrt_plan"\n' + CONFIG, "model-config", "tensorrt_plan is of the backend tensorrt"),
        ('backend: "onnxruntime"', "model-config", "does not list its inputs and outputs"),
        (CONFIG + "version_policy { specific { versions: 2 } }", "model-config", "versions that are not there"),
        (CONFIG.replace('"x"', '"z"'), "model-config", "the ONNX file has no input z; it has x"),
        (CONFIG.replace('"x"', '"z"'), "model-config", "the ONNX file has an input x not listed here"),
        (CONFIG.replace('"y"', '"z"'), "model-config", "the ONNX file has no output z; it has y"),
        (CONFIG.replace("TYPE_FP32 dims", "TYPE_INT64 dims"), "model-config", "of TYPE_FP32 in the ONNX file"),
        (
            CONFIG.replace("dims: [ 4 ]", "dims: [ 4, 2 ]"),
            "model-config",
            "the shape [-1, 4] in the ONNX file, [-1, 4, 2] here",
        ),
        ('default_model_filename: "other.onnx"\n' + CONFIG, "model-layout", "double/1/other.onnx, which is not there"),
        (CONFIG.replace("onnxruntime", "python"), "model-is-code", "the python backend runs code"),
        (CONFIG + 'runtime: "x.so"', "model-is-code", "load code into the server"),
        (CONFIG + 'model_repository_agents { agents [ { name: "a" } ] }', "model-is-code", "load code"),
        (
            CONFIG + 'parameters { key: "EXECUTION_ENV_PATH" value: { string_value: "e.tar.gz" } }',
            "model-is-code",
            "EXECUTION_ENV_PATH",
        ),
    ],
)
def test_a_configuration_that_contradicts(config: str, code: str, said: str) -> None:
    assert any(code == found and said in message for found, message in codes(repository(config)))


@pytest.mark.parametrize(
    ("files", "code", "said"),
    [
        ({"double/1/model.onnx": ONNX}, "model-layout", "there is no double/config.pbtxt"),
        ({"double/config.pbtxt": CONFIG.encode()}, "model-layout", "there is nothing in double/1/"),
        (repository(files={"other/1/model.onnx": b""}), "model-layout", "does not lie in the model's folder"),
        (repository(files={"double/2/model.onnx": ONNX}), "model-layout", "double/2/ is a second version"),
        (repository(files={"double/1/model.py": b""}), "model-is-code", "model.py is code"),
        (repository(files={"double/libop.so.1": b""}), "model-is-code", "libop.so.1 is code"),
        (repository(files={"double/1/model.onnx": b"\xff\xff"}), "model-config", "is no ONNX file"),
    ],
)
def test_files_that_make_up_no_model(files: dict[str, bytes], code: str, said: str) -> None:
    assert any(code == found and said in message for found, message in codes(files))


def test_other_folders_and_a_reshaped_tensor_are_fine() -> None:
    reshaped = CONFIG.replace("dims: [ -1 ]", "dims: [ 1 ] reshape: { shape: [ ] }")
    assert codes(repository(reshaped, {"double/labels/names.txt": b""})) == []


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_configuration_is_read_or_complained_about(config: bytes) -> None:
    check_repository({"double/config.pbtxt": config, "double/1/model.onnx": ONNX}, "double")


@given(st.binary(max_size=80))
def test_any_bytes_may_be_called_onnx(body: bytes) -> None:
    check_repository({"double/config.pbtxt": CONFIG.encode(), "double/1/model.onnx": body}, "double")
