"""What every step of the demo uses: saying, failing, and waiting with a bound."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import TypeVar

from rich.console import Console
from rich.markup import escape

from api.client import Client, Unavailable

LOOK_SECONDS = 0.25

T = TypeVar("T")


class DemoFailure(Exception):
    """What failed, and where to look."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(what)
        self.what, self.where = what, where


@dataclass(frozen=True)
class Demo:
    """One walk: the tenant's client and where to print."""

    client: Client
    console: Console
    over: Event = field(default_factory=Event)
    """Set when the walk ends; who still waits then gives up."""

    def step(self, title: str) -> None:
        """Begin a step."""
        self.console.print(f"\n[bold]{escape(title)}[/]", soft_wrap=True)

    def say(self, text: str) -> None:
        """Print a line of a step."""
        self.console.print(f"  {escape(text)}", soft_wrap=True, highlight=False)

    def until(self, look: Callable[[], T | None], seconds: float, late: Callable[[], DemoFailure]) -> T:
        """Look again and again until there is something; `late` says what to fail with after `seconds`.

        A platform that does not answer for a moment is asked again; every other refusal is the caller's.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                found = look()
            except Unavailable:
                found = None
            if found is not None:
                return found
            if self.over.wait(LOOK_SECONDS):
                break
        raise late()
