"""Stands in for KFP in a run's child process: `quick_tasks.py RUN_CHILD FOLDER TOKEN`, the rest of it is the real one.

One task that notes its execution, takes as long as the run's parameters say and leaves a model. A crash matrix
has hundreds of runs; KFP's imports alone take longer than all of this.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

SECONDS_A_ROUND = 0.01
TASK = "train"
ONNX = Path(__file__).parents[1] / "fixtures" / "models" / "double.onnx"
CONFIG = """
backend: "onnxruntime"
max_batch_size: 16
input [ { name: "x" data_type: TYPE_FP32 dims: [ 4 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 4 ] } ]
"""


def child_module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_child", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def execute(folder: Path, progress: Any) -> None:
    parameters = json.loads((folder / "submission.json").read_bytes())["parameters"]
    progress.plan([TASK])
    name = progress.begin(TASK)
    with (folder.parent.parent / "executed").open("a", encoding="ascii") as file:
        file.write(f"{folder.name}\n")
    time.sleep(parameters["rounds"] * SECONDS_A_ROUND)
    if parameters.get("label") == "dies":
        os._exit(9)
    version = folder / "outputs" / "model" / "model" / "1"
    version.mkdir(parents=True)
    (version / "model.onnx").write_bytes(ONNX.read_bytes())
    # With the run's name in it: every run's model has a digest of its own.
    (version.parent / "config.pbtxt").write_text(f"# {folder.name}\n{CONFIG}", encoding="ascii")
    if parameters.get("label") == "loose":
        (version.parents[1] / "loose").touch()
    model = {"name": "model", "schema": "system.Model", "path": str(version.parents[1]), "metadata": {}}
    progress.finish(name, "succeeded", artifacts=[model])


if __name__ == "__main__":
    child = child_module(Path(sys.argv[1]))
    vars(child)["_execute"] = execute
    child.main(Path(sys.argv[2]), sys.argv[3], [])
