"""Readiness of a V2 model: one real inference on zeros, its answer checked against the model's own metadata.

Open Inference Protocol v2 with the binary tensor data extension, which alone can carry every datatype.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import httpx

_BYTES_PER_ELEMENT = {
    "BOOL": 1, "UINT8": 1, "INT8": 1, "UINT16": 2, "INT16": 2, "FP16": 2, "BF16": 2,
    "UINT32": 4, "INT32": 4, "FP32": 4, "UINT64": 8, "INT64": 8, "FP64": 8,
}  # fmt: skip
# An element of BYTES is its length in four bytes, then its text: an empty one is four zero bytes.
_EMPTY_TEXT_BYTES = 4
_JSON_LENGTH = "Inference-Header-Content-Length"


class NotReadyError(Exception):
    """The server or the model did not answer as it must; the message says how, for a person."""


@dataclass(frozen=True)
class InferRequest:
    """A V2 infer request with binary inputs."""

    body: bytes
    headers: dict[str, str]


def zeros_request(metadata: dict[str, Any]) -> InferRequest:
    """Return a request of zeros for the model that `/v2/models/<m>` described; free dimensions are one."""
    tensors = [(tensor, _zeros(tensor)) for tensor in metadata["inputs"]]
    inputs = [
        {
            "name": tensor["name"],
            "datatype": tensor["datatype"],
            "shape": _shape(tensor),
            "parameters": {"binary_data_size": len(data)},
        }
        for tensor, data in tensors
    ]
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    headers = {_JSON_LENGTH: str(len(head)), "Content-Type": "application/octet-stream"}
    return InferRequest(head + b"".join(data for _, data in tensors), headers)


def _shape(tensor: dict[str, Any]) -> list[int]:
    return [1 if size < 0 else size for size in tensor["shape"]]


def _zeros(tensor: dict[str, Any]) -> bytes:
    return bytes(prod(_shape(tensor)) * _BYTES_PER_ELEMENT.get(tensor["datatype"], _EMPTY_TEXT_BYTES))


def check_answer(metadata: dict[str, Any], json_length: str | None, body: bytes) -> None:
    """Raise `NotReadyError` unless the answer holds every output the metadata names, in its type, shape and size."""
    try:
        answer = json.loads(body[: int(json_length)] if json_length else body)
        given = {output["name"]: output for output in answer["outputs"]}
    except (ValueError, KeyError, TypeError) as error:
        raise NotReadyError(f"the answer is no V2 inference response: {error!r}") from error
    for output in metadata["outputs"]:
        _check_output(output, given.get(output["name"]))


def _check_output(promised: dict[str, Any], given: dict[str, Any] | None) -> None:
    name = promised["name"]
    if given is None:
        raise NotReadyError(f"output {name!r} is missing from the answer")
    if given["datatype"] != promised["datatype"] or not _fits(given["shape"], promised["shape"]):
        raise NotReadyError(
            f"output {name!r} came as {given['datatype']} {given['shape']}, "
            f"promised are {promised['datatype']} {promised['shape']}"
        )
    element = _BYTES_PER_ELEMENT.get(given["datatype"])
    size = given.get("parameters", {}).get("binary_data_size")
    if element is not None and size != prod(given["shape"]) * element:
        raise NotReadyError(f"output {name!r} has {size} bytes for {given['shape']} of {given['datatype']}")


def _fits(shape: Sequence[int], promised: Sequence[int]) -> bool:
    return len(shape) == len(promised) and all(want in (-1, size) for size, want in zip(shape, promised, strict=True))


async def probe(client: httpx.AsyncClient, address: str, model: str, timeout: float) -> None:
    """Return when `model` at `address` answered a real inference; raise `NotReadyError` otherwise."""
    base = f"http://{address}/v2/models/{model}"
    try:
        described = _ok(await client.get(base, timeout=timeout))
        metadata = described.json()
        request = zeros_request(metadata)
        answer = _ok(await client.post(f"{base}/infer", content=request.body, headers=request.headers, timeout=timeout))
    except httpx.TimeoutException as error:
        raise NotReadyError(f"no answer within {timeout:g} s") from error
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise NotReadyError(f"{type(error).__name__}: {error}".rstrip(": ")) from error
    check_answer(metadata, answer.headers.get(_JSON_LENGTH), answer.content)


def _ok(response: httpx.Response) -> httpx.Response:
    if response.status_code != httpx.codes.OK:
        raise NotReadyError(f"{response.request.url.path} answered {response.status_code}: {response.text[:300]}")
    return response
