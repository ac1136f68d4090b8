"""Source of the package beside it: one task that exports a day's scores."""

# No `from __future__ import annotations` here: KFP reads the annotations as they are.
from kfp import dsl
from kfp.dsl import Dataset, Output


@dsl.component(base_image="docker.io/library/python:3.11", install_kfp_package=False)
def export(day: str, threshold: float, scores: Output[Dataset]):
    """Write the scores of a day that reach the threshold."""
    from pathlib import Path

    Path(scores.path).write_text(f"{day} from {threshold}\n")


@dsl.pipeline(name="export-scores", description="Export the scores of a day.")
def pipeline(day: str, threshold: float = 0.5):
    export(day=day, threshold=threshold)
