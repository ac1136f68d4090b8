"""Source of the package beside it: gradient-boosted trees, as a Triton model repository."""

# No `from __future__ import annotations` here: KFP reads the annotations as they are.
from kfp import dsl
from kfp.dsl import Dataset, Input, Metrics, Model, Output

IMAGE = "docker.io/library/python:3.11"


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def prepare(test_fraction: float, seed: int, training: Output[Dataset], held_out: Output[Dataset]):
    """Split scikit-learn's bundled breast-cancer data, keeping the classes' shares, into files of x and y."""
    from pathlib import Path

    import numpy as np
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split

    features, labels = load_breast_cancer(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        features.astype(np.float32), labels, test_size=test_fraction, random_state=seed, stratify=labels
    )
    for artifact, x, y in ((training, x_train, y_train), (held_out, x_test, y_test)):
        with Path(artifact.path).open("wb") as file:
            np.savez(file, x=x, y=y)
        artifact.metadata["rows"] = len(y)
    print(f"{len(y_train)} rows to train on, {len(y_test)} held out")


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train(
    training: Input[Dataset],
    held_out: Input[Dataset],
    rounds: int,
    max_depth: int,
    learning_rate: float,
    seed: int,
    model: Output[Model],
    reference: Output[Dataset],
):
    """Fit the trees; `model` becomes a folder with one Triton model in it, the folder `model`.

    Nothing inside names that model, because it is served under the name it is registered by. `reference` is
    what scikit-learn answers for the held-out rows: evaluate holds the ONNX model against it.
    """
    from pathlib import Path

    import numpy as np
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.ensemble import GradientBoostingClassifier

    config = """\
backend: "onnxruntime"
max_batch_size: 256
input [
  { name: "input" data_type: TYPE_FP32 dims: [ 30 ] }
]
output [
  { name: "label" data_type: TYPE_INT64 dims: [ 1 ] reshape: { shape: [ ] } },
  { name: "probabilities" data_type: TYPE_FP32 dims: [ 2 ] }
]
"""
    rows = np.load(training.path)
    classifier = GradientBoostingClassifier(
        n_estimators=rounds, max_depth=max_depth, learning_rate=learning_rate, random_state=seed
    )
    classifier.fit(rows["x"], rows["y"])
    print(f"{rounds} rounds, training loss {classifier.train_score_[-1]:.6f}")
    with Path(reference.path).open("wb") as file:
        np.save(file, classifier.predict_proba(np.load(held_out.path)["x"]))

    # Without zipmap the probabilities are one tensor, which is what the V2 protocol can carry.
    onnx = to_onnx(
        classifier,
        initial_types=[("input", FloatTensorType([None, 30]))],
        options={"zipmap": False},
        target_opset=17,
    )
    version = Path(model.path) / "model" / "1"
    version.mkdir(parents=True)
    (version / "model.onnx").write_bytes(onnx.SerializeToString())
    (version.parent / "config.pbtxt").write_text(config)
    model.metadata["signature"] = {
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 30]}],
        "outputs": [
            {"name": "label", "datatype": "INT64", "shape": [-1, 1]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]},
        ],
    }


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate(
    held_out: Input[Dataset],
    model: Input[Model],
    reference: Input[Dataset],
    metrics: Output[Metrics],
    predictions: Output[Dataset],
):
    """Measure the ONNX model on the held-out rows; fail where it does not answer as scikit-learn did.

    `predictions` is JSON: `rows` (the features), `labels` and `probabilities`, one entry a row, as the ONNX
    model gave them; whoever serves the model can send the rows and compare.
    """
    import json
    from pathlib import Path

    import numpy as np
    import onnxruntime
    from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

    rows = np.load(held_out.path)
    session = onnxruntime.InferenceSession(Path(model.path) / "model" / "1" / "model.onnx")
    labels, probabilities = session.run(["label", "probabilities"], {"input": rows["x"]})

    difference = float(np.abs(probabilities - np.load(reference.path)).max())
    print(f"largest difference between the ONNX model and scikit-learn: {difference:.1e}")
    tolerance = 1e-4  # single against double precision; 8e-8 was seen with 100 rounds
    if difference > tolerance:
        raise ValueError(f"the ONNX model differs from scikit-learn by {difference:.1e} in a probability")

    metrics.log_metric("accuracy", accuracy_score(rows["y"], labels))
    metrics.log_metric("auc", roc_auc_score(rows["y"], probabilities[:, 1]))
    metrics.log_metric("log_loss", log_loss(rows["y"], probabilities.astype(np.float64)))
    metrics.log_metric("rows", len(labels))
    answers = {
        "rows": rows["x"].tolist(),
        "labels": labels.tolist(),
        "probabilities": probabilities.tolist(),
    }
    Path(predictions.path).write_text(json.dumps(answers))


@dsl.pipeline(name="train-classifier", description="Gradient-boosted trees on breast-cancer data, as ONNX.")
def pipeline(
    rounds: int = 100,
    max_depth: int = 3,
    learning_rate: float = 0.1,
    test_fraction: float = 0.25,
    seed: int = 7,
):
    prepared = prepare(test_fraction=test_fraction, seed=seed)
    trained = train(
        training=prepared.outputs["training"],
        held_out=prepared.outputs["held_out"],
        rounds=rounds,
        max_depth=max_depth,
        learning_rate=learning_rate,
        seed=seed,
    )
    evaluate(
        held_out=prepared.outputs["held_out"],
        model=trained.outputs["model"],
        reference=trained.outputs["reference"],
    )
