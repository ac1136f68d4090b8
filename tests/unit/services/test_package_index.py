from __future__ import annotations

import os
from pathlib import Path

import pytest
from package_index import IndexSettings


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.startswith(("PIP_", "UV_")) or name == "REQUESTS_CA_BUNDLE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


def test_without_settings_uv_uses_its_own_defaults() -> None:
    assert IndexSettings.of_pip().for_uv() == {}


def test_pips_variables_become_uvs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://one.example https://two.example")
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels /more")
    monkeypatch.setenv("PIP_CERT", "/etc/certificate.pem")
    assert IndexSettings.of_pip().for_uv() == {
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "UV_INDEX": "https://one.example https://two.example",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/wheels,/more",
        "SSL_CERT_FILE": "/etc/certificate.pem",
    }


def test_a_configuration_file_counts_and_a_variable_counts_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://file.example/simple\nno_index = true\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    assert IndexSettings.of_pip().index_url == "https://file.example/simple"
    assert IndexSettings.of_pip().for_uv()["UV_NO_INDEX"] == "1"
    monkeypatch.setenv("PIP_INDEX_URL", "https://variable.example/simple")
    assert IndexSettings.of_pip().index_url == "https://variable.example/simple"
