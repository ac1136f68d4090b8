"""Source of the package beside it: one task that writes down what it was told."""

# No `from __future__ import annotations` here: KFP reads the annotations as they are.
from kfp import dsl
from kfp.dsl import Artifact, Output


@dsl.component(base_image="docker.io/library/python:3.11", install_kfp_package=False)
def hello(echo: str, greeting: Output[Artifact]):
    """Write `echo` into an artifact."""
    from pathlib import Path

    print(f"hello, {echo}")
    Path(greeting.path).write_text(f"hello, {echo}\n")


@dsl.pipeline(name="hello", description="One quick task that writes down what it was told.")
def pipeline(echo: str = "world"):
    hello(echo=echo)
