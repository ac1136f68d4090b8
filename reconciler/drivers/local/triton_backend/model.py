# ruff: noqa: INP001 - Triton loads the file, nothing imports it
"""Triton backend `onnxruntime`, as a python backend: serves `<model>/<version>/model.onnx` by its config.pbtxt.

Triton finds this file as `<backend directory>/onnxruntime/model.py` and runs it in a stub process of the
Triton environment. Contract of the class and its methods: triton-inference-server/python_backend.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb

_DEFAULT_FILE = "model.onnx"


class TritonPythonModel:
    """One instance of one ONNX model. One thread each: Triton scales by instances."""

    @staticmethod
    def auto_complete_config(config: Any) -> Any:
        """Leave the configuration as its author wrote it."""
        return config

    def initialize(self, args: dict[str, str]) -> None:
        """Open the session; raises for a file ONNX Runtime cannot load."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(_model_file(args), options, providers=["CPUExecutionProvider"])
        self._texts = {node.name: node.type == "tensor(string)" for node in self._session.get_inputs()}

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request by itself; one that fails does not fail the others."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        try:
            names = list(request.requested_output_names())
            values = self._session.run(names, self._feeds(request))
            return pb.InferenceResponse([_tensor(name, value) for name, value in zip(names, values, strict=True)])
        except Exception as error:  # noqa: BLE001 - what ONNX Runtime says goes to the client, whatever it is
            return pb.InferenceResponse(error=pb.TritonError(str(error)))

    def _feeds(self, request: Any) -> dict[str, Any]:
        given = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
        return {name: _decoded(value) if self._texts.get(name) else value for name, value in given.items()}


def _model_file(args: dict[str, str]) -> str:
    """Return the model's file; its name is a plain one, so that it cannot point out of the version folder."""
    name = json.loads(args["model_config"]).get("default_model_filename") or _DEFAULT_FILE
    if Path(name).name != name:
        raise pb.TritonModelException(f"default_model_filename {name!r} must be a plain file name")
    return str(Path(args["model_repository"], args["model_version"], name))


def _decoded(value: Any) -> Any:
    """Triton gives texts as bytes; ONNX Runtime wants str."""
    return _objects([item.decode() if isinstance(item, bytes) else item for item in value.ravel()], value.shape)


def _objects(items: list[Any], shape: tuple[int, ...]) -> Any:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array.reshape(shape)


def _tensor(name: str, value: Any) -> Any:
    """Return the output; texts become bytes. Maps and sequences are no tensors, and Triton's protocol has none."""
    if not hasattr(value, "dtype"):
        raise TypeError(f"output {name!r} is a {type(value).__name__}, no tensor: export the model without ZipMap")
    if value.dtype == object:
        value = _objects([str(item).encode() for item in value.ravel()], value.shape)
    return pb.Tensor(name, value)
