"""A typed client of the platform's HTTP API: what a person can ask, as Python. docs/client.md has examples."""

from __future__ import annotations

from api.client.address import Address, NoAddress
from api.client.client import Client
from api.client.connection import Patience
from api.client.errors import ClientError, Conflict, Disputed, NotFound, Refused, Unavailable
from api.client.intents import Intent, Write
from api.client.references import Ambiguous, Reference
from api.client.views import ChangeState, State, Written
from api.client.writing import ABSENT, ANY, Asking

__all__ = [
    "ABSENT",
    "ANY",
    "Address",
    "Ambiguous",
    "Asking",
    "ChangeState",
    "Client",
    "ClientError",
    "Conflict",
    "Disputed",
    "Intent",
    "NoAddress",
    "NotFound",
    "Patience",
    "Reference",
    "Refused",
    "State",
    "Unavailable",
    "Write",
    "Written",
]
