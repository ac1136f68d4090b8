from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from intents.kinds import SPECS, Kind, Spec
from intents.kinds.base import Part
from intents.kinds.cluster import PlatformEgress
from intents.kinds.network import Egress
from intents.models import FileEntry, files_digest


@pytest.mark.parametrize("spec", SPECS.values(), ids=lambda spec: spec.__name__)
def test_mutable_fields_are_fields(spec: type[Spec]) -> None:
    assert spec.model_fields.keys() >= spec.MUTABLE


def test_every_kind_has_a_spec() -> None:
    assert SPECS.keys() == set(Kind)


def _below(model: type[BaseModel]) -> set[type[BaseModel]]:
    return {model, *(each for child in model.__subclasses__() for each in _below(child))}


def test_every_part_is_immutable_and_closed() -> None:
    parts = _below(Part)
    assert parts > set(SPECS.values())
    assert all(each.model_config["frozen"] and each.model_config["extra"] == "forbid" for each in parts)


def test_a_models_digest_is_of_its_files_in_any_order() -> None:
    files = [FileEntry("m/config.pbtxt", 3, "b" * 64), FileEntry("m/1/model.onnx", 5, "a" * 64)]
    digest = files_digest(files)
    assert digest == files_digest(reversed(files))
    # sha256 of the two lines `<sha256>  <size>  <path>` by path, worked out with coreutils.
    assert digest == "sha256:dde2c4031013930d36e8e29e9c613bd89e5ebfbf8a8abb40d75c0fdc5e12ec8f"


@pytest.mark.parametrize(
    "cidr",
    [
        "169.254.169.254/32",
        "::ffff:169.254.169.254/128",
        "64:ff9b::a9fe:a9fe/128",
        "64:ff9b::169.254.169.254/128",
        "fd00:ec2::254/128",
        "fd20:ce::254/128",
        "100.100.100.200/32",
        "168.63.129.16/32",
    ],
)
def test_no_intent_opens_a_metadata_address(cidr: str) -> None:
    with pytest.raises(ValidationError, match="credentials of nodes"):
        Egress.model_validate({"to": cidr, "ports": [80]})
    with pytest.raises(ValidationError, match="credentials of nodes"):
        PlatformEgress.model_validate({"to": cidr, "ports": [80]})


@pytest.mark.parametrize("where", [{}, {"to": "10.0.0.0/8", "namespace": "seaweedfs"}])
def test_the_platforms_egress_goes_to_one_place(where: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="either `to` a network or to a `namespace`"):
        PlatformEgress.model_validate({**where, "ports": [8333]})
