"""Where a platform is reached: what to connect to, and which host the requests are for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, urlsplit

LOOPBACK = "127.0.0.1"
_SCHEMES = ("http", "https")


class NoAddress(Exception):
    """A text is no address of a platform."""


@dataclass(frozen=True)
class Address:
    """A platform, or one tenant's host on it."""

    url: str
    """What to connect to; a path in it comes before every request's."""
    host: str
    """For the header `Host`."""
    is_here: bool
    """Whether it is on this machine."""

    @classmethod
    def of(cls, url: str) -> Self:
        """Read `http://acme.ml.localhost:8080` or `https://ml.example.org`. Raises NoAddress.

        Names below `localhost` are this machine (RFC 6761, section 6.3), which Python's resolver does not know.
        """
        parts = _parts(url)
        name = parts.hostname or ""
        here = name == "localhost" or name.endswith(".localhost")
        connect = parts._replace(netloc=parts.netloc.replace(name, LOOPBACK)) if here else parts
        return cls(connect.geturl().rstrip("/"), parts.netloc, here or name in {LOOPBACK, "::1"})

    @classmethod
    def here(cls, port: int, host: str) -> Self:
        """Return a host on a port of this machine."""
        return cls(f"http://{LOOPBACK}:{port}", f"{host}:{port}", is_here=True)

    def __str__(self) -> str:
        return self.url.replace(urlsplit(self.url).netloc, self.host)


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0 and parts.username is None
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment:
        raise NoAddress(f"`{url}` is no address of a platform: write it as https://HOST or http://HOST:PORT")
    return parts
