"""Source of the package beside it: read a table, fit trees, hand out a Triton model repository."""

# No `from __future__ import annotations` here: KFP reads the annotations as they are.
from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

IMAGE = "registry.example.com/ml/risk:1.4"


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def load(table: str, rows: Output[Dataset]):
    """Copy a table of labelled rows."""
    from risk import warehouse

    warehouse.download(table, rows.path)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train(rows: Input[Dataset], rounds: int, balanced: bool, model: Output[Model]):
    """Fit the trees; `model` becomes a folder with one Triton model in it."""
    from risk import trees

    model.metadata["signature"] = trees.fit(rows.path, rounds=rounds, balanced=balanced).save(model.path)


@dsl.pipeline(name="train-risk", description="Gradient-boosted trees on a table of labelled rows.")
def pipeline(table: str, rounds: int = 100, balanced: bool = False):
    loaded = load(table=table)
    trained = train(rows=loaded.outputs["rows"], rounds=rounds, balanced=balanced)
    trained.set_cpu_limit("2").set_memory_limit("4Gi")
