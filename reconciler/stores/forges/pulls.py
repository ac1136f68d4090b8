"""What Gitea and GitHub have in common: the shape of pull requests, reviews and checks in their answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from reconciler.planning.forge import CHANGE_BRANCHES, PullRequest, PullState, Review
from reconciler.ports.errors import Stalled

LONGEST_SUMMARY = 140
"""What GitHub takes as the description of a status."""


def repository_of(url: str) -> tuple[str, str, str]:
    """Return scheme and host, the path before the repository, and `owner/name`. Raises Stalled for other addresses."""
    parts = urlsplit(url)
    before, _, rest = parts.path.strip("/").removesuffix(".git").rpartition("/")
    owner = before.rpartition("/")[2]
    if parts.scheme not in {"http", "https"} or not owner or not rest:
        raise Stalled(f"{url} names no repository on a forge: https://<host>/<owner>/<name>")
    prefix = before.rpartition("/")[0]
    return f"{parts.scheme}://{parts.netloc}", f"/{prefix}" if prefix else "", f"{owner}/{rest}"


def pull_from(row: Mapping[str, Any]) -> PullRequest:
    """Return a pull request of either forge's answer."""
    merged = row.get("merged") or row.get("merged_at")
    return PullRequest(
        number=int(row["number"]),
        branch=str(row["head"]["ref"]),
        head=str(row["head"]["sha"]),
        title=str(row["title"]),
        author=account(row),
        state=PullState.MERGED if merged else PullState(row["state"]),
        url=str(row["html_url"]),
        updated_at=moment(row["updated_at"]),
    )


def moment(text: str) -> datetime:
    """Return a time of either forge's answer."""
    return datetime.fromisoformat(text)


def account(row: Mapping[str, Any], who: str = "user") -> str:
    """Return who it is of, in small letters; empty where the account is gone."""
    return str((row.get(who) or {}).get("login", "")).lower()


def is_change(row: Mapping[str, Any]) -> bool:
    """Say whether it is one of a branch `change/…` onto main, in the same repository: forks' branches are others'."""
    head, base = row["head"], row["base"]
    same = (head.get("repo") or {}).get("full_name") == (base.get("repo") or {}).get("full_name")
    return bool(same and base["ref"] == "main" and str(head["ref"]).startswith(CHANGE_BRANCHES))


def last_words(reviews: Iterable[Review]) -> tuple[Review, ...]:
    """Return the newest review of each person who still has an account, in the order of these."""
    newest: dict[str, Review] = {}
    for each in sorted(reviews, key=lambda review: review.at):
        if each.by:
            newest[each.by] = each
    return tuple(newest[by] for by in sorted(newest))


def review_from(row: Mapping[str, Any]) -> Review:
    """Return a review of either forge's answer."""
    approves = row["state"] == "APPROVED" and not row.get("dismissed")
    return Review(account(row), approves, str(row["commit_id"] or ""), moment(row["submitted_at"]))


def newest_of(branch: str, rows: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the pull request of a branch among rows, newest first: an open one before all others."""
    ours = [row for row in rows if is_change(row) and row["head"]["ref"] == branch]
    return next((row for row in ours if row["state"] == "open"), next(iter(ours), None))


def with_plan(body: str | None, plan: str) -> str:
    """Return the text of a pull request with a new plan: what stands before the plan's marker is people's."""
    marker = plan.partition("\n")[0]
    before = (body or "").partition(marker)[0].rstrip()
    return f"{before}\n\n{plan}" if before else plan


def summarized(text: str) -> str:
    """Return one line that every forge takes as a summary."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_SUMMARY else f"{line[: LONGEST_SUMMARY - 1]}…"
