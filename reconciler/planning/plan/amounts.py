"""Amounts by resource: what plans add, compare and show."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import PlainSerializer

from intents.usage import Amounts

CPUS, MEMORY, GPUS = "cpus", "memory", "gpus/"
Use = Mapping[str, Decimal]
"""By resource: `cpus`, `memory` in bytes, `gpus/<type>`."""


def plain(number: Decimal) -> str:
    """Write a number without trailing zeros and without an exponent."""
    return f"{number.normalize():f}"


Amount = Annotated[Decimal, PlainSerializer(plain, return_type=str)]
"""CPUs, bytes of memory or GPUs."""


def as_use(amounts: Amounts) -> dict[str, Decimal]:
    """Return amounts by resource."""
    gpus = {f"{GPUS}{name}": Decimal(count) for name, count in amounts.gpus.items()}
    return {CPUS: amounts.cpus, MEMORY: amounts.memory, **gpus}


def plus(*uses: Use) -> dict[str, Decimal]:
    """Return the sum."""
    total: dict[str, Decimal] = {}
    for use in uses:
        for name, value in use.items():
            total[name] = total.get(name, Decimal(0)) + value
    return total


def minus(one: Use, other: Use) -> dict[str, Decimal]:
    """Return the difference."""
    return plus(one, {name: -value for name, value in other.items()})


def resource_order(resource: str) -> tuple[bool, str]:
    """Return a key that puts GPUs first: they are what runs short."""
    return not resource.startswith(GPUS), resource
