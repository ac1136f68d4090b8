"""The first main of a state repository: from a forge that is home, or from the folders of a checkout."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from api.composition.parts import prepare_repository
from reconciler.planning.remote import Attempt
from reconciler.ports.errors import Stalled, Waiting
from reconciler.ports.remote import RefUpdate
from reconciler.ports.repository import MAIN
from reconciler.services.layout import Layout
from reconciler.stores.git.repository import GitRepository
from tests.support.forge_double import BOT
from tests.support.forges import World, gitea_double
from tests.support.repositories import commit

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[World]:
    with gitea_double(tmp_path / "forge") as made:
        yield made


def checkout(root: Path, forge: World, *, credentials: bool = True) -> Layout:
    """Lay out a checkout whose platform.yaml names the forge as home."""
    for name in ("platform", "tenants", "templates"):
        shutil.copytree(CHECKOUT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    file = root / "platform" / "platform.yaml"
    document = yaml.safe_load(file.read_text())
    at = {"provider": "gitea", "url": forge.url}
    document["spec"]["repository"] |= {"home": "forge", "forge": at}
    file.write_text(yaml.safe_dump(document))
    layout = Layout(root)
    layout.create()
    if credentials:
        token = root / "token"
        token.write_text(forge.tokens[BOT])
        layout.credentials.write_text(json.dumps({forge.url: {"token": {"file": str(token)}}}))
    return layout


def test_it_is_the_forge_s(tmp_path: Path, forge: World) -> None:
    first = checkout(tmp_path / "first", forge)
    prepare_repository(first)
    ours = GitRepository(first.repository)
    theirs = commit(ours, {"notes/a.md": b"1"})
    assert forge.remote(ours.path).push([RefUpdate(MAIN, None, theirs)]).attempt is Attempt.ACCEPTED
    second = checkout(tmp_path / "second", forge)
    prepare_repository(second)
    assert GitRepository(second.repository).head() == theirs
    prepare_repository(second)
    assert GitRepository(second.repository).head() == theirs, "one that has a main is left as it is"


def test_where_the_forge_has_none_it_is_the_checkout_s(tmp_path: Path, forge: World) -> None:
    layout = checkout(tmp_path / "root", forge)
    prepare_repository(layout)
    head = GitRepository(layout.repository).head()
    assert head is not None
    assert GitRepository(layout.repository).info(head).subject == "Seed the state repository"
    assert forge.remote(layout.repository).heads([MAIN]) == {}, "the writer brings it there"


@pytest.mark.parametrize("away", [True, False])
def test_none_is_made_up_while_the_forge_cannot_be_asked(tmp_path: Path, forge: World, away: bool) -> None:
    layout = checkout(tmp_path / "root", forge, credentials=not away)
    if not away:
        (layout.root / "token").write_text("a-token-that-nobody-has")
    with pytest.raises(Stalled if away else Waiting):
        prepare_repository(layout)
    assert GitRepository(layout.repository).head() is None
