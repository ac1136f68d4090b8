"""From YAML text to plain values, strictly, with the place of everything.

Values are built from libyaml's event stream, so that anchors, tags and duplicate keys are seen where
they stand; a loader would already have resolved them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from intents.problems import MOST_PROBLEMS
from intents.scalars import AmbiguousScalar, NumberOutOfRange, resolve

Location = tuple[str | int, ...]
"""Keys and indexes from the root of a document."""
Place = tuple[int, int]
"""Line and column, both from 1."""

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
LONGEST_MESSAGE = 400
FOREIGN_BREAKS = ("\x85", "\u2028", "\u2029")
"""Line breaks in YAML 1.1, ordinary characters in 1.2."""


@dataclass(frozen=True)
class Finding:
    """One thing the YAML itself does wrong."""

    code: str
    message: str
    hint: str
    place: Place
    location: Location = ()


@dataclass
class Composed:
    """The value of a document; `keys` and `values` hold the place of each key and each value."""

    value: Any = None
    findings: list[Finding] = field(default_factory=list)
    keys: dict[Location, Place] = field(default_factory=dict)
    values: dict[Location, Place] = field(default_factory=dict)

    def place(self, location: Location, *, key: bool = False) -> Place:
        """Return where `location` stands, or the nearest thing around it that is there."""
        while location:
            if key and location in self.keys:
                return self.keys[location]
            if location in self.values:
                return self.values[location]
            location, key = location[:-1], True
        return self.values.get((), (1, 1))


def compose(body: bytes) -> Composed:
    """Read one YAML document. Never raises: what is wrong is in `findings`."""
    composed = Composed()
    text = _decode(body, composed)
    if text is not None:
        _compose_text(text, composed)
    return composed


def _decode(body: bytes, composed: Composed) -> str | None:
    if len(body) > MAX_BYTES:
        message = f"the document has {len(body)} bytes; at most {MAX_BYTES} are allowed"
        composed.findings.append(Finding("too-large", message, "keep data out of intents", (1, 1)))
        return None
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        before = body[: error.start].decode("utf-8", "replace")
        place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        message = f"byte 0x{body[error.start]:02x} is not UTF-8"
        composed.findings.append(Finding("not-utf8", message, "save the file as UTF-8", place))
        return None
    return text if _breaks_agree(text, composed) else None


def _breaks_agree(text: str, composed: Composed) -> bool:
    if text.startswith("\ufeff"):
        hint = "save the file as UTF-8 without BOM"
        composed.findings.append(Finding("not-utf8", "the file starts with a byte order mark", hint, (1, 1)))
        return False
    for mark in FOREIGN_BREAKS:
        if mark in text:
            before = text[: text.index(mark)]
            place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
            message = f"U+{ord(mark):04X} is a line break in YAML 1.1 and a character in YAML 1.2"
            hint = "write it as an escape in double quotes"
            composed.findings.append(Finding("ambiguous-scalar", message, hint, place))
            return False
    return True


def _compose_text(text: str, composed: Composed) -> None:
    try:
        _Composer(text, composed).document()
    except _Stop:
        pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        reason = ": ".join(part for part in (error.context, error.problem) if part)
        composed.findings.append(Finding("yaml-syntax", f"not valid YAML: {reason}", "", place))
    except yaml.YAMLError as error:
        reason = str(getattr(error, "reason", error))
        place = _place_of_offset(text, getattr(error, "position", None))
        composed.findings.append(Finding("yaml-syntax", f"not valid YAML: {reason}", "", place))


def _place_of_offset(text: str, offset: int | None) -> Place:
    if not isinstance(offset, int):
        return (1, 1)
    # libyaml counts the bytes of the UTF-8 form.
    before = text.encode()[:offset].decode("utf-8", "ignore")
    return (before.count("\n") + 1, len(before) - before.rfind("\n"))


class _Stop(Exception):
    """The rest of the document cannot be read."""


class _Composer:
    """Builds one document from its events. Recursion is bounded by MAX_DEPTH."""

    def __init__(self, text: str, composed: Composed) -> None:
        self._events: Iterator[Event] = iter(yaml.parse(text, Loader=yaml.CSafeLoader))
        self._composed = composed

    def document(self) -> None:
        next(self._events)
        start = next(self._events)
        if isinstance(start, StreamEndEvent):
            self._stop("empty-document", "the document is empty", "", start)
        self._refuse_directives(start)
        self._composed.value = self._node(next(self._events), ())
        next(self._events)
        end = next(self._events)
        if not isinstance(end, StreamEndEvent):
            hint = "write one intent a file"
            self._find("several-documents", "a second document starts here", hint, end, ())

    def _refuse_directives(self, start: Event) -> None:
        if isinstance(start, DocumentStartEvent) and (start.version or start.tags):
            self._find("yaml-feature", "directives (%) are not allowed", "remove the line", start, ())

    def _node(self, event: Event, location: Location) -> Any:
        self._composed.values[location] = _place(event)
        if isinstance(event, AliasEvent):
            message = f"aliases (*{event.anchor}) are not allowed"
            self._find("yaml-feature", message, "write it out", event, location)
            return None
        self._refuse_anchor_and_tag(event, location)
        if isinstance(event, ScalarEvent):
            return self._scalar(event, location)
        if len(location) >= MAX_DEPTH:
            self._stop("too-deep", f"more than {MAX_DEPTH} levels", "", event)
        return self._mapping(location) if isinstance(event, MappingStartEvent) else self._sequence(location)

    def _refuse_anchor_and_tag(self, event: Any, location: Location) -> None:
        if event.anchor is not None:
            message = f"anchors (&{event.anchor}) are not allowed"
            self._find("yaml-feature", message, "write it out", event, location)
        if event.tag is not None:
            message = f"tags ({event.tag}) are not allowed"
            self._find("yaml-feature", message, "remove the tag", event, location)

    def _scalar(self, event: ScalarEvent, location: Location) -> Any:
        # libyaml gives an unquoted scalar no style; `implicit[0]` is also set for it alone.
        text: str = event.value
        if "\0" in text:  # what is asked is also kept in Postgres, which cannot hold it
            self._find("invalid-value", "text cannot hold U+0000", "remove it", event, location)
        if event.style or not event.implicit[0]:
            return text
        try:
            return resolve(text)
        except AmbiguousScalar:
            message = f"YAML versions and readers differ about the unquoted value {shortened(text)}"
            self._find("ambiguous-scalar", message, f'quote it: "{shortened(text)}"', event, location)
        except NumberOutOfRange:
            message = f"{shortened(text)} is more than 64 bits hold"
            self._find("number-out-of-range", message, "quote it if it is text", event, location)
        return text

    def _sequence(self, location: Location) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            items.append(self._node(event, (*location, len(items))))
        return items

    def _mapping(self, location: Location) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._key(event, location)
            place = (*location, key)
            if key in entries:
                message = f"`{shortened(key)}` is already set in line {self._composed.keys[place][0]}"
                self._find("duplicate-key", message, "keep one", event, place)
            self._composed.keys[place] = _place(event)
            entries[key] = self._node(next(self._events), place)
        return entries

    def _key(self, event: Event, location: Location) -> str:
        if not isinstance(event, ScalarEvent):
            self._stop("key-not-text", "a key must be text", "", event)
        if event.value == "<<" and not event.style:
            self._find("yaml-feature", "merge keys (<<) are not allowed", "write it out", event, location)
            return "<<"
        place = (*location, event.value)
        self._refuse_anchor_and_tag(event, place)
        if not isinstance(self._scalar(event, place), str):
            message = f"the key {shortened(event.value)} is not text"
            self._find("key-not-text", message, f'quote it: "{shortened(event.value)}"', event, place)
        return str(event.value)

    def _find(self, code: str, message: str, hint: str, event: Event, location: Location) -> None:
        self._composed.findings.append(Finding(code, message, hint, _place(event), location))
        if len(self._composed.findings) > MOST_PROBLEMS:
            raise _Stop

    def _stop(self, code: str, message: str, hint: str, event: Event) -> NoReturn:
        self._find(code, message, hint, event, ())
        raise _Stop


def _place(event: Event) -> Place:
    mark = cast(yaml.Mark, event.start_mark)
    return (mark.line + 1, mark.column + 1)


def shortened(text: str, limit: int = 40) -> str:
    """Return `text`, cut so that it fits a message, or a message, cut so that it fits an answer."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
