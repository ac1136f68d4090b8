from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.drivers.local.triton_model import hash_files, refuse_code, split_uri
from reconciler.ports.errors import Stalled

TENSORS = 'input [{name: "x"}, {name: "z"}] output {name: "y" dims: [1]}'


def repository(root: Path, config: str) -> Path:
    folder = root / "clf" / "1"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"onnx")
    (folder.parent / "config.pbtxt").write_text(config, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    "config",
    [
        f'platform: "onnxruntime_onnx" {TENSORS}',
        f'backend: "onnxruntime" {TENSORS}',
        f'name: "clf" backend: "onnxruntime" platform: "onnxruntime_onnx" {TENSORS}',
        f"# backend: [\n platform: 'onnxruntime_onnx', {TENSORS}; instance_group [ {{ count: 1 kind: KIND_CPU }} ]",
        (
            f'platform:"onnxruntime_onnx" {TENSORS} dynamic_batching {{ preferred_batch_size: [ 4, 8 ] }} '
            'parameters [ { key: "a [" value { string_value: "b\\" [" } } ] version_policy: { all { } }'
        ),
    ],
)
def test_the_ways_to_write_an_onnx_configuration_are_taken(tmp_path: Path, config: str) -> None:
    refuse_code(repository(tmp_path, config), "clf")


@pytest.mark.parametrize(
    "config",
    [
        f'backend: "python" {TENSORS}',
        f"backend: 'pyt' 'hon' {TENSORS}",
        rf'backend: "\160ython" {TENSORS}',
        rf'backend: "\x70ython" platform: "onnxruntime_onnx" {TENSORS}',
        f'platform: "onnxruntime_onnx" {TENSORS} backend: "onnxruntime" backend: "python"',
        f'platform: "onnxruntime_onnx" {TENSORS} # \n backend: "python"',
        f'platform: "ensemble" {TENSORS}',
        f'platform: "onnxruntime_onnx" {TENSORS} parameters: {{ key: "EXECUTION\\x5fENV_PATH" value: {{ }} }}',
        f'platform: "onnxruntime_onnx" {TENSORS} runtime: "libevil.so"',
        f'platform: "onnxruntime_onnx" {TENSORS} model_repository_agents {{ agents [ {{ name: "x" }} ] }}',
        f"{TENSORS}",
        "",
        "\x00",
    ],
)
def test_no_spelling_brings_code_into_the_server(tmp_path: Path, config: str) -> None:
    with pytest.raises(Stalled):
        refuse_code(repository(tmp_path, config), "clf")


def test_links_are_no_files_of_a_model(tmp_path: Path) -> None:
    repository(tmp_path, TENSORS)
    (tmp_path / "clf/1/other.onnx").symlink_to("/etc/hostname")
    with pytest.raises(Stalled, match="is a link"):
        hash_files(tmp_path)


def test_a_storage_uri_names_bucket_and_folder() -> None:
    assert split_uri("s3://models/acme/fraud/clf/abc/") == ("models", "acme/fraud/clf/abc/")
    assert split_uri("s3://models/acme") == ("models", "acme/")


@pytest.mark.parametrize(
    "uri", ["", "models/acme", "https://models/acme/", "s3://models", "s3://models/", "s3:///acme/"]
)
def test_anything_else_is_no_storage_uri(uri: str) -> None:
    with pytest.raises(Stalled, match="s3://<bucket>/<prefix>/"):
        split_uri(uri)
