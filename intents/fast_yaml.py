"""The second parser: it gives speed, and never another meaning than `intents.composing`.

ryaml is libyaml in Rust with rules of its own for scalars, duplicates, anchors and the like; composing reads the
events of libyaml itself. So the two agree about structure, and a grammar of lines, matched before ryaml sees the
text, admits only documents in which nothing can stand that they could differ about:

- A line is blank, a comment or an entry, and quoted text ends in its line. A flow collection that does not end in
  its line is an error to libyaml, for no line begins with what would have to follow. An unquoted value may go on in
  the next line; libyaml takes that line for text up to a comment, and refuses it if it has a key.
- An unquoted value begins with a letter, a digit, `-` before one of them, `/`, `$` or `(`. So there is no anchor,
  alias, tag, directive, document mark, explicit key, merge key or block scalar.
- A word that YAML versions read differently, and a number that is not plainly one, is not admitted.
- Escapes in double quotes make no character that could not stand in the text itself.
- Nothing is too deep: the 12 columns where an entry may begin each begin at most a mapping and a list, and a line
  has at most 8 flow collections. That makes 32.

ryaml itself refuses duplicate keys. Keys that are not text are let through, for no kind of intent takes one. No
quantifier gives back a part of a word, so a match costs time linear in the text.
"""

from __future__ import annotations

import re
from typing import Any

import ryaml

from intents.scalars import FICKLE_WORDS

LONGEST = 64 * 1024
"""Bytes. Longer documents are rare, and one with thousands of problems would be looked at twice."""

# What libyaml refuses, and what one YAML version takes for a line break and the other does not.
_FOREIGN = re.compile("[^\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
# None of these is foreign, and nearly every document is made of them alone: they are taken out in 0.3 µs.
_COMMON = bytes(range(ord(" "), ord("~") + 1)) + b"\n"

_QUOTED = r"""(?:"[^"\\\n]*+(?:\\["\\/nt\ ][^"\\\n]*+)*+"|'[^'\n]*+(?:''[^'\n]*+)*+')"""
_NUMBER = r"(?:-?[1-9][0-9]{0,17}+(?:\.[0-9]{1,15}+)?+|-?0\.[0-9]{1,15}+|0)"
# More than `scalars.NUMBER_LIKE` among the words that begin with a digit, so that it is short.
_NUMBER_LIKE = r"(?:[0-9._:]*+(?:[eE][-+]?[0-9]+)?{end}|0[box]|[0-9]{{4}}-[0-9])"
_FICKLE = "|".join(sorted(word for word in FICKLE_WORDS if word.isalpha()))


def _scalar(rest: str, end: str, next_word: str) -> str:
    """Return the pattern of one scalar: quoted, or words of which the first decides what it is.

    `rest` is the rest of a word, `end` holds where a word has ended, `next_word` begins a word after another. A
    colon is part of a word where libyaml cannot take it for the end of a key.
    """
    return rf"""(?>{_QUOTED}|(?:
          (?!(?:{_FICKLE}){end})[A-Za-z/$(\x80-\U0010ffff]{rest}
        | {_NUMBER}{end}
        | (?!{_NUMBER_LIKE.format(end=end)})[0-9]{rest}
        | -[A-Za-z]{rest}
    )(?:\ ++{next_word}{rest})*+)"""


_IN_BLOCK = _scalar(r"[^ \n:]*+(?::[^ \n:]++)*+", r"(?![^ \n:]|:[^ \n])", r"""[^ \n:\#"']""")
_IN_FLOW = _scalar(
    r"[^ \n,\[\]{}:?]*+(?::[A-Za-z0-9/.*_-][^ \n,\[\]{}:?]*+)*+",
    r"(?![^ \n,\[\]{}:?]|:[A-Za-z0-9/.*_-])",
    r"""[^ \n,\[\]{}:?\#"']""",
)
_FLOW = rf"(?:\ *+[\[{{](?:\ *+(?:[,\]}}]|{_IN_FLOW}(?::(?=\ )|(?=\ *+[,\]}}]))))*+){{1,8}}+(?<=[\]}}])"
_ENTRY = rf"(?:{_IN_BLOCK}:(?=[ \n]|\Z)\ *+)?+(?:{_FLOW}|{_IN_BLOCK})?+"
_LINE = rf"(?:\ \ ){{0,9}}+(?:\#[^\n]*+|(?:-\ ){{0,2}}+{_ENTRY}\ *+(?:(?<=\ )\#[^\n]*+)?+)"
_ADMITTED = re.compile(rf"(?:{_LINE}(?:\n|\Z))*+", re.VERBOSE)


def fast_value(body: bytes) -> Any:
    """Return the value of a document, the very one that `compose` gives it without findings, or else None."""
    if len(body) > LONGEST:
        return None
    try:
        text = body.decode()
        if (body.translate(None, _COMMON) and _FOREIGN.search(text)) or not _ADMITTED.fullmatch(text):
            return None
        return ryaml.loads(text)  # type: ignore[attr-defined]  # a plain import exports it
    except ValueError:
        return None
