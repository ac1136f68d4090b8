from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.drivers.local.triton_probe import NotReadyError, check_answer, zeros_request


def metadata(datatype: str = "FP32", shape: tuple[int, ...] = (-1, 4)) -> dict[str, Any]:
    tensor = {"datatype": datatype, "shape": list(shape)}
    return {"name": "clf", "inputs": [{"name": "x", **tensor}], "outputs": [{"name": "y", **tensor}]}


def answer(datatype: str = "FP32", shape: tuple[int, ...] = (1, 4), size: int = 16, name: str = "y") -> bytes:
    output = {
        "name": name,
        "datatype": datatype,
        "shape": list(shape),
        "parameters": {"binary_data_size": size},
    }
    return json.dumps({"model_name": "clf", "outputs": [output]}).encode()


@pytest.mark.parametrize(
    ("datatype", "shape", "size"),
    [
        ("FP32", (-1, 4), 16),
        ("FP16", (-1, 4), 8),
        ("INT64", (-1,), 8),
        ("BOOL", (2, -1, 3), 6),
        ("BYTES", (-1, 2), 8),  # two empty texts, each its length in four bytes
        ("UINT8", (), 1),
    ],
)
def test_a_request_is_zeros_of_the_models_own_shape(datatype: str, shape: tuple[int, ...], size: int) -> None:
    request = zeros_request(metadata(datatype, shape))
    length = int(request.headers["Inference-Header-Content-Length"])
    (tensor,) = json.loads(request.body[:length])["inputs"]
    assert tensor["shape"] == [max(1, each) for each in shape]
    assert tensor["parameters"]["binary_data_size"] == size
    assert request.body[length:] == bytes(size)


def test_an_answer_as_promised_is_taken() -> None:
    body = answer()
    check_answer(metadata(), str(len(body)), body + bytes(16))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (answer(name="z"), "'y' is missing"),
        (answer(datatype="FP64", size=32), "promised are FP32"),
        (answer(shape=(1, 5), size=20), "promised are FP32"),
        (answer(shape=(4,)), "promised are FP32"),
        (answer(size=12), "12 bytes"),
        (b'{"error": "no"}', "no V2 inference response"),
        (b"<html>", "no V2 inference response"),
        (b"[]", "no V2 inference response"),
    ],
)
def test_any_other_answer_is_not_ready(body: bytes, says: str) -> None:
    with pytest.raises(NotReadyError, match=says):
        check_answer(metadata(), str(len(body)), body)
