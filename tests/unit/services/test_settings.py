from __future__ import annotations

import socket
from pathlib import Path

import pytest

from reconciler.services.layout import Layout
from reconciler.services.settings import HOST, NotSetUp, PostgresRole, Settings


def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    made.create()
    return made


def silent(text: str) -> None:
    raise AssertionError(text)


def test_settings_are_absent_before_the_first_up(tmp_path: Path) -> None:
    with pytest.raises(NotSetUp, match="ordain up"):
        Settings.load(layout(tmp_path))


def test_settings_are_kept_and_for_the_owner_alone(tmp_path: Path) -> None:
    first = Settings.prepare(layout(tmp_path), silent)
    assert Settings.prepare(layout(tmp_path), silent) == first
    assert Settings.load(layout(tmp_path)) == first
    assert first.layout.settings.stat().st_mode & 0o777 == 0o600
    assert len(set(vars(first.ports).values())) == len(vars(first.ports))


def test_a_port_taken_meanwhile_is_replaced_and_said_so(tmp_path: Path) -> None:
    first = Settings.prepare(layout(tmp_path), silent)
    said: list[str] = []
    with socket.socket() as other:
        other.bind((HOST, first.edge_port))
        other.listen()
        second = Settings.prepare(layout(tmp_path), said.append)
    assert second.edge_port != first.edge_port
    assert second.ports.nats == first.ports.nats
    assert second.secrets == first.secrets
    assert said == [
        f"port {first.edge_port} (edge) is taken by another program; {second.edge_port} is used from now on"
    ]


def test_secrets_do_not_show_when_printed(tmp_path: Path) -> None:
    settings = Settings.prepare(layout(tmp_path), silent)
    assert settings.s3_secret_key not in repr(settings)


def test_a_role_connects_over_the_socket_with_its_own_password(tmp_path: Path) -> None:
    settings = Settings.prepare(layout(tmp_path), silent)
    dsn = settings.postgres_dsn(PostgresRole.API)
    assert dsn.startswith(f"postgresql://ordain_api:{settings.secrets.postgres_api}@/ordain?host=%2F")


def test_sockets_stay_below_the_root_where_the_path_allows() -> None:
    assert Layout(Path("/srv/ordain")).api_socket == Path("/srv/ordain/.ordain/sockets/api.sock")


def test_a_deep_root_has_its_sockets_in_the_runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    deep = Layout(tmp_path / ("deep" * 20))
    assert deep.sockets.parent == runtime
    deep.create()
    assert deep.sockets.stat().st_mode & 0o777 == 0o700
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert Layout(deep.root).sockets == deep.sockets, "a later shell without the variable finds the same folder"
