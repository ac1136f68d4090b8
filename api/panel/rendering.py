"""Templates, what they may call, and the headers every page carries."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.panel.links import Links, model_anchor

HERE = Path(__file__).parent
MEDIA_TYPES = {
    "panel.css": "text/css; charset=utf-8",
    "panel.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
STATIC = {name: (HERE / "static" / name).read_bytes() for name in MEDIA_TYPES}
VERSIONS = {name: hashlib.sha256(body).hexdigest()[:12] for name, body in STATIC.items()}

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Accept, X-Tenant-Id, X-Project-Id",
}

TONES = {
    "good": {"succeeded", "ready", "true", "up", "ok", "approved", "merged"},
    "bad": {"failed", "unknown", "dead", "unhealthy", "lost", "false", "has problems"},
    "calm": {"cancelled", "skipped", "stopped", "pending", "created", "closed"},
}
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def page(template: str, links: Links, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> HTMLResponse:
    """Return a page, or the part of one, made from a template."""
    text = _environment.get_template(template).render(links=links, **values)
    return HTMLResponse(text, status.value, SECURITY_HEADERS)


def tone(word: str) -> str:
    """Return how a state is coloured; what is on its way is `busy`."""
    lowered = word.lower()
    return next((name for name, words in TONES.items() if lowered in words), "busy")


def duration(seconds: float | None) -> str:
    """Write seconds as people do: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min."""
    if seconds is None:
        return "\N{EN DASH}"
    if seconds < 10:  # noqa: PLR2004 - below ten, tenths tell
        return f"{max(seconds, 0):.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def size(count: float) -> str:
    """Write bytes with a decimal unit."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:  # noqa: PLR2004 - decimal units
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def clock(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%H:%M:%S")


def day(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d")


def short(identifier: str) -> str:
    """Shorten a commit or digest to what people compare."""
    return identifier.removeprefix("sha256:")[:10]


def number(value: float | str) -> str:
    """Write a metric with four digits; one that is no number, such as infinity, stands as it is."""
    if isinstance(value, str):
        return value
    return f"{value:.4g}" if not float(value).is_integer() else f"{value:.0f}"


def tail(log: bytes, lines: int) -> str:
    """Return the last lines of a log as text, without what colours terminals."""
    text = ANSI.sub("", log.decode(errors="replace")).rstrip()
    return "\n".join(text.splitlines()[-lines:])


_environment = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {
    "clock": clock,
    "day": day,
    "duration": duration,
    "number": number,
    "short": short,
    "size": size,
    "tone": tone,
}
_environment.globals |= {"versions": VERSIONS, "model_anchor": model_anchor}
