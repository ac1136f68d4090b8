"""Networks and what of them may be reached."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from intents.kinds.base import Cidr, Part

Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Ports = Annotated[tuple[Port, ...], Field(min_length=1)]


class Egress(Part):
    """One network that pods may reach, over TCP."""

    to: Cidr
    ports: Ports
