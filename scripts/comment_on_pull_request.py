"""Keep one comment of a GitHub pull request up to date: created the first time, edited in place from then on.

    comment_on_pull_request.py MARKER FILE

MARKER tells the comment from others; FILE holds its Markdown. The environment says where, as in GitHub
Actions: GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_TOKEN, and PULL_REQUEST, the number. Needs Python alone.

The token of a pull request from a fork can only read: then the comment is left out, with a notice.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

TIMEOUT_SECONDS = 30
PAGE = 100
# GitHub's limit is 65,536 characters.
LONGEST = 65_000
CUT_OFF = "\n\n*Cut off here; the summary of the workflow run has the whole plan.*"
NOTHING = "No plan could be made of this change; the log of the workflow run says why."


def main(marker: str, file: str) -> None:
    repository = Repository(os.environ["GITHUB_API_URL"], os.environ["GITHUB_REPOSITORY"], os.environ["GITHUB_TOKEN"])
    body = comment_body(marker, Path(file).read_text(encoding="utf-8"))
    try:
        write_comment(repository, int(os.environ["PULL_REQUEST"]), marker, body)
    except HTTPError as error:
        if error.code != HTTPStatus.FORBIDDEN:
            raise
        say("::notice::this token may not comment on the pull request; the plan is in the summary of the run")


def comment_body(marker: str, text: str) -> str:
    """Return the comment, its marker first, within GitHub's limit."""
    said = text.removeprefix(hidden(marker)).strip() or NOTHING
    body = said if len(said) <= LONGEST else f"{said[:LONGEST]}{CUT_OFF}"
    return f"{hidden(marker)}\n{body}"


def hidden(marker: str) -> str:
    return f"<!-- {marker} -->"


def write_comment(repository: Repository, number: int, marker: str, body: str) -> None:
    known = next((each for each in repository.comments(number) if is_ours(each, marker)), None)
    if known is None:
        repository.send("POST", f"issues/{number}/comments", {"body": body})
        say("the plan is a new comment")
    elif known["body"] != body:
        repository.send("PATCH", f"issues/comments/{known['id']}", {"body": body})
        say("the comment with the plan is up to date")


def is_ours(comment: dict[str, Any], marker: str) -> bool:
    """Whether an automation wrote it with this marker: a person's comment is never edited."""
    author, body = comment["user"]["type"], str(comment["body"])
    return bool(author == "Bot") and body.startswith(hidden(marker))


class Repository:
    """A repository at GitHub's REST API (https://docs.github.com/rest/issues/comments)."""

    def __init__(self, api: str, name: str, token: str) -> None:
        self._root = f"{api}/repos/{name}"
        self._headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    def comments(self, number: int) -> Iterator[dict[str, Any]]:
        """Yield all comments of a pull request, page by page."""
        page = 1
        while found := self.send("GET", f"issues/{number}/comments?per_page={PAGE}&page={page}"):
            yield from found
            page += 1

    def send(self, method: str, path: str, content: dict[str, Any] | None = None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self._root}/{path}", body, self._headers, method=method)
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            return json.load(answer)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
