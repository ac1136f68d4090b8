"""What Argo CD is asked to look at."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from reconciler.planning.cluster_objects import Application
from reconciler.planning.deliveries import ASK_AGAIN, Abandon, Asked, Generate, Refresh, asks

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def applications(*folders: str) -> dict[str, Application]:
    return {folder: Application(f"main-{folder.replace('/', '--')}", folder) for folder in folders}


def test_folders_that_changed_are_refreshed_and_no_others() -> None:
    there = applications("acme/fraud", "acme/search")
    found = list(asks("main", there.keys(), there, ["acme/fraud"]))
    assert found == [Refresh("main-acme--fraud", "acme/fraud")]


def test_folders_that_come_or_go_are_the_matter_of_the_set_that_makes_them() -> None:
    there = applications("acme/fraud", "platform/tenants/acme")
    found = list(asks("main", ["acme/fraud", "acme/new", "platform/cluster"], there, []))
    gone = ("platform/cluster", "platform/tenants/acme")
    assert found == [Generate("main-platform", gone), Generate("main-tenants", ("acme/new",))]


def test_a_sync_that_would_never_end_keeps_no_application_from_going() -> None:
    going = replace(applications("acme/fraud")["acme/fraud"], is_going=True, phase="Running")
    assert Abandon(going.name) in list(asks("main", [], {going.folder: going}, []))
    for other in (replace(going, is_going=False), replace(going, phase="Succeeded")):
        assert Abandon(going.name) not in list(asks("main", [], {other.folder: other}, []))
    assert Abandon(going.name) not in list(asks("main", [going.folder], {going.folder: going}, []))


def test_what_is_asked_is_asked_once_a_commit_and_again_when_it_may_be_lost() -> None:
    asked, ask = Asked(), Refresh("main-acme--fraud", "acme/fraud")
    first, longest = ASK_AGAIN
    assert asked.due([ask], "1", NOON) == [ask]
    assert asked.due([ask], "1", NOON) == []
    assert asked.due([ask], "2", NOON) == [ask]
    assert asked.due([ask], "2", NOON + first) == [ask]
    assert asked.due([ask], "2", NOON + 2 * first) == [], "it waits longer each time"
    assert asked.due([ask], "2", NOON + first + longest) == [ask]
    assert asked.due([], "2", NOON + longest) == []
    assert asked.due([ask], "2", NOON + longest) == [ask], "it is wanted anew"
