"""Where the ports of the ledger are: one suite, in memory and on real Postgres."""

from __future__ import annotations

import pytest

from tests.support.ledgers import Ledger


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.parts)])
def real(request: pytest.FixtureRequest) -> Ledger | None:
    """Return a fresh database, or None for what is in memory."""
    return None if request.param == "memory" else request.getfixturevalue("ledger")
