"""What all kinds share: the envelope, strict models, and the words fields are made of."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from intents.names import RULES, complaint
from intents.quantities import DURATION_PATTERN, canonical_quantity, duration_seconds, quantity_value

API_VERSION = "ordain.dev/v1alpha1"


class Kind(StrEnum):
    """The kinds of intent."""

    PLATFORM = "Platform"
    CLUSTER = "Cluster"
    TENANT = "Tenant"
    PROJECT = "Project"
    TEMPLATE = "Template"
    RUN = "Run"
    MODEL_VERSION = "ModelVersion"
    MODEL_DEPLOYMENT = "ModelDeployment"
    ROLLOUT = "Rollout"


class Part(BaseModel):
    """A mapping inside an intent: immutable, unknown fields refused, camelCase outside."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


class Spec(Part):
    """What one kind of intent asks. MUTABLE names the fields that may change once it is committed."""

    MUTABLE: ClassVar[frozenset[str]]


class Metadata(Part):
    """Free labels and annotations; name, tenant and project are the path."""

    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


S_co = TypeVar("S_co", bound=Spec, covariant=True)


class Envelope(Part, Generic[S_co]):
    """The outer shape of every intent."""

    api_version: Literal["ordain.dev/v1alpha1"]
    kind: Kind
    metadata: Metadata = Field(default_factory=Metadata)
    spec: S_co


def refuse(code: str, message: str, hint: str = "") -> PydanticCustomError:
    """Return the error by which a validator names a problem code of the catalogue."""
    # Braces in the template would be taken for fields, so the message is a field itself.
    return PydanticCustomError(code, "{message}", {"message": message, "hint": hint})


def _checked(check: Callable[[str], object], code: str) -> AfterValidator:
    def validate(text: str) -> str:
        try:
            check(text)
        except ValueError as error:
            raise refuse(code, str(error)) from error
        return text

    return AfterValidator(validate)


def _named(what: str) -> tuple[AfterValidator, WithJsonSchema]:
    def check(text: str) -> None:
        if wrong := complaint(what, text):
            raise ValueError(wrong)

    rule = RULES[what]
    schema = {"type": "string", "pattern": f"^{rule.pattern.pattern}$", "maxLength": rule.limit}
    return _checked(check, "invalid-name"), WithJsonSchema(schema)


def _reference(what: str, version: str, separator: str = "@") -> tuple[AfterValidator, WithJsonSchema]:
    def check(text: str) -> None:
        name, found, number = text.partition(separator)
        if not found:
            raise ValueError(f"`{text}` names no version: <{what}>{separator}<{version}>")
        if wrong := complaint(what, name) or complaint(version, number):
            raise ValueError(wrong)

    pattern = f"^{RULES[what].pattern.pattern}{separator}{RULES[version].pattern.pattern}$"
    return _checked(check, "invalid-reference"), WithJsonSchema({"type": "string", "pattern": pattern})


def _number_as_text(value: Any) -> Any:
    """Let quantities be written as numbers: `cpus: 2`, `cpus: 0.5`."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _quantity(text: str) -> str:
    try:
        if quantity_value(text) <= 0:
            raise ValueError(f"`{text}` must be more than 0")
        return canonical_quantity(text)
    except ValueError as error:
        raise refuse("invalid-quantity", str(error)) from error


_cluster, _project, _version, _model = _named("cluster"), _named("project"), _named("version"), _named("model")
_hostname = _named("hostname")
_template_ref, _model_ref = _reference("template", "template version"), _reference("model", "model version")

ClusterName = Annotated[str, _cluster[0], _cluster[1]]
ProjectName = Annotated[str, _project[0], _project[1]]
VersionName = Annotated[str, _version[0], _version[1]]
ModelName = Annotated[str, _model[0], _model[1]]
Hostname = Annotated[str, _hostname[0], _hostname[1]]
TemplateRef = Annotated[str, _template_ref[0], _template_ref[1]]
"""`<template>@<version>`."""
ModelRef = Annotated[str, _model_ref[0], _model_ref[1]]
"""`<model>@<number>`."""
Text = Annotated[str, Field(min_length=1, max_length=500)]
Word = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""A name someone else gave: a KFP task or output."""
Person = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S+$")]
"""A user or group as the identity provider calls it."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
BlobId = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
CommitId = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Count = Annotated[StrictInt, Field(ge=1, le=10_000)]
Duration = Annotated[
    str, _checked(duration_seconds, "invalid-duration"), WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN})
]
"""A whole number of s, m or h; `intents.quantities.duration_seconds` gives its seconds."""
Quantity = Annotated[
    str,
    BeforeValidator(_number_as_text),
    AfterValidator(_quantity),
    WithJsonSchema({"type": ["string", "number"], "description": "A Kubernetes quantity, such as 1, 500m or 2Gi."}),
]
"""A Kubernetes quantity, held in canonical form."""
