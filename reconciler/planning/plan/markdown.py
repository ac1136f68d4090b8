"""A plan as Markdown, fit for a comment on a pull request: the whole in a table, then each subject to unfold.

Everything that a tenant may have written stands in a code span or a fence, where GitHub and Gitea see no markup, no
mention, no link and no reference; neither can be closed from inside (CommonMark 0.31, sections 4.5 and 6.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from reconciler.planning.plan.change_plan import ChangePlan
from reconciler.planning.plan.lines import Line, Mark, Section
from reconciler.planning.plan.report import headline, sections
from reconciler.planning.plan.wording import printable

MARKER = "<!-- ordain plan -->"
"""The comment's first line, by which it is found again and updated in place."""
LIMIT = 65_000
"""GitHub takes 65,536 characters in a comment; the rest is for what a workflow writes around it."""
_LONGEST_SUMMARY = 300
_LONGEST_LINE = 1_000
_TICKS = re.compile(r"`+")
_NOTE = "  … {} more lines; `ordain plan` shows them"
_FRAME = 200
"""More than a section takes besides its lines and its fence."""


def to_markdown(plan: ChangePlan, limit: int = LIMIT) -> str:
    """Return the comment, of at most `limit` characters; what does not fit is left out, and said."""
    found = sections(plan)
    rows = [f"| {_title(each)} | {code_span(each.summary)} |" for each in found]
    table = ["| | |", "|---|---|", *rows, ""] if rows else []
    head = "\n".join([MARKER, f"### Plan: {code_span(headline(plan))}", "", *table])
    bodies = [[_line(line) for line in each.lines] for each in found]
    shares = _shares([_size(body) for body in bodies], limit - len(head))
    return head + "".join(map(_details, found, bodies, shares))


def _title(section: Section) -> str:
    return f":warning: **{section.title}**" if section.alert else section.title


def code_span(text: str) -> str:
    """Return text as a code span that may stand in a table."""
    # No escape of `|` holds after a backslash: the table's cells are cut before the code is seen.
    inner = _cut(printable(text).replace("|", "¦"), _LONGEST_SUMMARY)
    ticks = _longer_than_any([inner], least=1)
    return f"{ticks} {inner} {ticks}" if len(ticks) > 1 else f"`{inner}`"


def _line(line: Line) -> str:
    # `!` is what the language `diff` has for changed lines.
    mark = "!" if line.mark is Mark.CHANGED else line.mark.value
    return _cut(f"{mark} {'  ' * line.depth}{printable(line.text)}", _LONGEST_LINE)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _longer_than_any(texts: Iterable[str], least: int) -> str:
    """Return more backticks in a row than any text has, so that none can end what they fence."""
    longest = max((len(run) for text in texts for run in _TICKS.findall(text)), default=0)
    return "`" * max(least, longest + 1)


def _size(body: Sequence[str]) -> int:
    return _FRAME + 2 * len(_longer_than_any(body, least=3)) + sum(len(line) + 1 for line in body)


def _shares(sizes: Sequence[int], room: int) -> list[int]:
    """Divide the room: what is small gets what it needs, the rest is shared by what is large."""
    shares = [0] * len(sizes)
    waiting = sorted(range(len(sizes)), key=lambda place: sizes[place])
    for left, place in zip(range(len(sizes), 0, -1), waiting, strict=True):
        shares[place] = min(sizes[place], room // left)
        room -= shares[place]
    return shares


def _details(section: Section, body: Sequence[str], share: int) -> str:
    fence = _longer_than_any(body, least=3)
    kept, room = 0, share - _FRAME - 2 * len(fence)
    while kept < len(body) and (room := room - len(body[kept]) - 1) >= 0:
        kept += 1
    note = [_NOTE.format(len(body) - kept)] if kept < len(body) else []
    lines = "\n".join((f"{fence}diff", *body[:kept], *note, fence))
    return f"\n<details><summary>{section.title}</summary>\n\n{lines}\n\n</details>\n"
