from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.workers.registration import NotAModel, refuse_contradictions

ONNX = (Path(__file__).resolve().parents[2] / "fixtures" / "models" / "double.onnx").read_bytes()
CONFIG = b"""
backend: "onnxruntime"
input { name: "x" data_type: TYPE_FP32 dims: [ -1, 4 ] }
output { name: "y" data_type: TYPE_FP32 dims: [ -1, 4 ] }
"""


def test_a_sound_model_is_registered() -> None:
    refuse_contradictions({"double/config.pbtxt": CONFIG, "double/1/model.onnx": ONNX}, "double")


def test_a_model_that_no_server_could_serve_is_refused_with_every_reason() -> None:
    files = {"double/config.pbtxt": CONFIG.replace(b'"x"', b'"z"'), "double/1/model.onnx": ONNX, "double/1/a.py": b""}
    with pytest.raises(NotAModel) as refused:
        refuse_contradictions(files, "double")
    assert "a.py is code" in str(refused.value)
    assert "has no input z" in str(refused.value)
