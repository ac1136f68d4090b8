"""Credentials are found by address, read when they are needed, and never told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.ports.errors import Stalled
from reconciler.services.credentials import Credential, Credentials, Reference

ADDRESS = "https://github.com/acme/intents"
SECRET = "the-secret-itself"


def credentials(folder: Path, document: Any) -> Credentials:
    path = folder / "credentials.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return Credentials(path)


def test_they_are_found_by_the_address_they_are_for(tmp_path: Path) -> None:
    found = credentials(tmp_path, {f"{ADDRESS}.git": {"token": {"env": "TOKEN"}}})
    for address in (ADDRESS, f"{ADDRESS}/", f"{ADDRESS}.git", "https://GitHub.com/Acme/intents"):
        assert found.of(address) == Credential(token=Reference(env="TOKEN"))
    assert found.of(f"{ADDRESS}-evil") is None
    with pytest.raises(Stalled, match=r"no credentials for https://evil.example.*credentials.json"):
        found.expected("https://evil.example/acme/intents")


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert Credentials(tmp_path / "credentials.json").of(ADDRESS) is None


def test_a_secret_is_read_when_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    reference = Reference(file=file)
    with pytest.raises(Stalled, match="holds no secret"):
        reference.read()
    file.write_text("first\n")
    assert reference.read() == "first"
    file.write_text("second\n")
    assert reference.read() == "second"
    monkeypatch.setenv("ORDAIN_TEST_TOKEN", "third")
    assert Reference(env="ORDAIN_TEST_TOKEN").read() == "third"
    with pytest.raises(Stalled, match="ORDAIN_NO_SUCH"):
        Reference(env="ORDAIN_NO_SUCH").read()


@pytest.mark.parametrize(
    "document",
    [
        {ADDRESS: {"token": SECRET}},
        {ADDRESS: {"token": {"value": SECRET}}},
        {ADDRESS: {"token": {"env": "A", "file": "b"}}},
        {ADDRESS: {"token": {"env": "A"}, "app": {"id": "1", "key": {"env": "B"}}}},
        {ADDRESS: {"webhookSecret": {"env": SECRET}}},
        {ADDRESS: {"app": {"id": "1", "key": SECRET}}},
        {ADDRESS: SECRET},
        [SECRET],
        f'{{"{ADDRESS}": "{SECRET}',
    ],
)
def test_what_cannot_be_understood_is_said_without_what_stands_there(tmp_path: Path, document: Any) -> None:
    with pytest.raises(Stalled, match="cannot be understood") as refused:
        credentials(tmp_path, document).of(ADDRESS)
    assert SECRET not in str(refused.value)


def test_an_app_has_an_id_and_a_key(tmp_path: Path) -> None:
    document = {ADDRESS: {"app": {"id": "Iv1.a", "key": {"file": "app.pem"}}, "webhookSecret": {"env": "S"}}}
    found = credentials(tmp_path, document).expected(ADDRESS)
    assert found.app is not None
    assert (found.app.id, found.app.key.file) == ("Iv1.a", Path("app.pem"))
    assert found.webhook_secret == Reference(env="S")
