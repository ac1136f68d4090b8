"""Forms of answers that several nouns share."""

from __future__ import annotations

from typing import Annotated, Generic, TypeAlias, TypeVar

from fastapi import Response
from pydantic import BaseModel, Field, WrapSerializer

from intents.kinds import Spec

T = TypeVar("T")
SpecT = TypeVar("SpecT", bound=Spec)

# A form that is annotated would be the answer's schema, in place of the spec's own.
Shown: TypeAlias = Annotated[
    SpecT, WrapSerializer(lambda spec, _: spec.model_dump(mode="json", by_alias=True, exclude_none=True))
]
"""A spec as it could be written: fields without a value are not there."""


class Items(BaseModel, Generic[T]):
    """A whole list."""

    items: list[T]


class Page(BaseModel, Generic[T]):
    """A part of a list."""

    items: list[T]
    next: str | None = Field(description="the cursor of the next page; null: there is none")


class YamlResponse(Response):
    """A document, byte by byte."""

    media_type = "application/yaml"


class BytesResponse(Response):
    """Bytes of whatever sort."""

    media_type = "application/octet-stream"


class EventStream(Response):
    """Server-sent events."""

    media_type = "text/event-stream"
