"""Tokens of a GitHub App: its signed word is exchanged for a token of its installation, for an hour and one repository.

Source: https://docs.github.com/apps, "Generating a JSON Web Token (JWT) for a GitHub App" and "Authenticating as a
GitHub App installation": RS256, `iss` is the App, `iat` a minute back for clocks that differ, `exp` ten minutes on at
most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from threading import Lock
from typing import Any

import httpx
import jwt

from reconciler.ports.errors import Stalled, Waiting
from reconciler.stores.forges.client import CONNECT_SECONDS, SECONDS, Answer
from reconciler.stores.forges.github import ACCEPT, api_of

CLOCKS_DIFFER = timedelta(seconds=60)
JWT_LASTS = timedelta(minutes=9)
RENEW_BEFORE = timedelta(minutes=5)
"""A token is not used in its last minutes: a push that begins with it may take one."""


@dataclass
class AppTokens:
    """Gives the token of the App's installation on one repository, the same one until shortly before it ends.

    The call blocks, and may be made from several threads. Raises Stalled where a person must act, else Waiting.
    """

    url: str
    """The repository, as people see it."""
    app: str
    """The App's client id or number."""
    key: Callable[[], str]
    """Returns the App's private key, in PEM."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _token: str = field(default="", repr=False)
    _renew_at: datetime | None = None
    _lock: Lock = field(default_factory=Lock)

    def __call__(self) -> str:
        """Return the token."""
        with self._lock:
            if self._renew_at is None or self.now() >= self._renew_at:
                self._renew()
            return self._token

    def _renew(self) -> None:
        repository = api_of(self.url)
        base, _, name = repository.rpartition("/repos/")
        with httpx.Client(timeout=httpx.Timeout(SECONDS, connect=CONNECT_SECONDS)) as client:
            installation = self._ask(client, "GET", f"{repository}/installation")["id"]
            asked = {"repositories": [name.partition("/")[2]]}
            made = self._ask(client, "POST", f"{base}/app/installations/{installation}/access_tokens", asked)
        self._token = str(made["token"])
        self._renew_at = datetime.fromisoformat(made["expires_at"]) - RENEW_BEFORE

    def _ask(self, client: httpx.Client, method: str, url: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {self._signed()}", "Accept": ACCEPT, "User-Agent": "ordain"}
        try:
            response = client.request(method, url, json=body, headers=headers)
            answer = Answer(response.status_code, response.json(), {})
        except (httpx.HTTPError, ValueError) as error:
            raise Waiting(f"{url} cannot be asked for a token: {type(error).__name__}", 5.0) from None
        if response.is_success:
            return answer.body
        said = f"{method} {url}: {answer.status} {answer.message}"
        if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}:
            raise Stalled(
                f"the App {self.app} gets no token ({said}): check its id and key, and install it on {self.url}"
            )
        raise Waiting(f"the App {self.app} gets no token now: {said}", 30.0)

    def _signed(self) -> str:
        now = self.now()
        claims = {"iss": self.app, "iat": now - CLOCKS_DIFFER, "exp": now + JWT_LASTS}
        try:
            return jwt.encode(claims, self.key(), algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError):
            # The error's own text may show parts of the key.
            raise Stalled(f"the key of the App {self.app} is no private RSA key in PEM") from None
