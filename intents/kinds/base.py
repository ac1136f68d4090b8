"""What all kinds share: the envelope, strict models, and the words fields are made of."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from intents.names import RULES, NameRule, complaint
from intents.quantities import DURATION_PATTERN, canonical_quantity, duration_seconds

API_VERSION = "ordain.dev/v1alpha1"


class Kind(StrEnum):
    """The kinds of intent."""

    PLATFORM = "Platform"
    CLUSTER = "Cluster"
    TENANT = "Tenant"
    PROJECT = "Project"
    TEMPLATE = "Template"
    RUN = "Run"
    SCHEDULE = "Schedule"
    TRAINING_JOB = "TrainingJob"
    MODEL_VERSION = "ModelVersion"
    MODEL_DEPLOYMENT = "ModelDeployment"
    ROLLOUT = "Rollout"

    # Enum's own hash is a Python function; a tree asks for a kind's hash several times an intent.
    __hash__ = str.__hash__


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

    labels: dict[str, str] = Field(default_factory=dict, examples=[{"team": "risk"}])
    """Short words to select intents by; ordain gives them no meaning."""
    annotations: dict[str, str] = Field(default_factory=dict, examples=[{"contact": "ana@acme.example"}])
    """Notes for people and tools; ordain gives them no meaning."""


S_co = TypeVar("S_co", bound=Spec, covariant=True)


class Envelope(Part, Generic[S_co]):
    """The outer shape of every intent."""

    api_version: Literal["ordain.dev/v1alpha1"]
    """The version of the language the document is written in."""
    kind: Kind
    """The kind of intent; it must be the one that the path stands for."""
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


def _named(what: str) -> AfterValidator:
    def check(text: str) -> None:
        if wrong := complaint(what, text):
            raise ValueError(wrong)

    return _checked(check, "invalid-name")


def _reference(what: str, version: str) -> AfterValidator:
    def check(text: str) -> None:
        name, found, number = text.partition("@")
        if not found:
            raise ValueError(f"`{text}` names no version: <{what}>@<version>")
        if wrong := complaint(what, name) or complaint(version, number):
            raise ValueError(wrong)

    return _checked(check, "invalid-reference")


def _shape(*rules: NameRule) -> WithJsonSchema:
    """Return the JSON Schema of a name, or of names joined by `@`."""
    pattern = "@".join(rule.pattern.pattern for rule in rules)
    limit = sum(rule.limit for rule in rules) + len(rules) - 1
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", "maxLength": limit})


def _network(text: str) -> None:
    """Hold a text against CIDR notation: ipaddress also takes masks, lone addresses and the zones of links."""
    _, _, prefix = text.partition("/")
    if not prefix.isdecimal() or "%" in text:
        raise ValueError(f"`{text}` is no network: an address and its prefix, such as 10.0.0.0/8 or 10.1.2.3/32")
    ip_network(text)


def _number_as_text(value: Any) -> Any:
    """Let quantities be written as numbers: `cpus: 2`, `cpus: 0.5`."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _quantity(text: str) -> str:
    try:
        canonical = canonical_quantity(text)
    except ValueError as error:
        raise refuse("invalid-quantity", str(error)) from error
    if canonical == "0":
        raise refuse("invalid-quantity", "it must be more than 0")
    return canonical


ClusterName = Annotated[str, _named("cluster"), _shape(RULES["cluster"])]
ProjectName = Annotated[str, _named("project"), _shape(RULES["project"])]
VersionName = Annotated[str, _named("version"), _shape(RULES["version"])]
ModelName = Annotated[str, _named("model"), _shape(RULES["model"])]
Hostname = Annotated[str, _named("hostname"), _shape(RULES["hostname"])]
TemplateRef = Annotated[
    str, _reference("template", "template version"), _shape(RULES["template"], RULES["template version"])
]
"""`<template>@<version>`."""
ModelRef = Annotated[str, _reference("model", "model version"), _shape(RULES["model"], RULES["model version"])]
"""`<model>@<number>`."""
Text = Annotated[str, Field(min_length=1, max_length=500)]
Word = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""A name someone else gave: a KFP task or output."""
Person = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S+$")]
"""A user or group as the identity provider calls it."""
Account = Annotated[str, Field(max_length=100, pattern=r"^[a-z0-9](?:[a-z0-9._-]*[a-z0-9_])?$")]
"""What a forge calls a person, in small letters: forges tell none apart by case."""
GpuType = Annotated[str, _named("GPU type"), _shape(RULES["GPU type"])]
"""What a cluster calls one sort of GPU, such as `nvidia-l4`."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
BlobId = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
CommitId = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Count = Annotated[StrictInt, Field(ge=1, le=10_000)]
Duration = Annotated[
    str,
    _checked(duration_seconds, "invalid-duration"),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN}),
]
"""A whole number of s, m or h; `intents.quantities.duration_seconds` gives its seconds."""
Url = Annotated[str, Field(max_length=500, pattern=r"^(?:https?|ssh|git)://[^\s@]+$")]
"""An absolute address without credentials in it."""
ForgeUrl = Annotated[str, Field(max_length=500, pattern=r"^https?://[^\s@/]+(?:/[^\s@/?#]+){2,}$")]
"""The address of a repository on a forge, as people open it: `https://<host>/<owner>/<name>`."""
Image = Annotated[
    str, Field(max_length=300, pattern=r"^[a-z0-9]+(?:[._/:-][a-z0-9]+)*(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?$")
]
"""A container image: `<registry>/<repository>:<tag>` or `…@sha256:<digest>`."""
ImagePattern = Annotated[str, Field(max_length=300, pattern=r"^[A-Za-z0-9*][A-Za-z0-9._/:@*-]*$")]
"""Images, with `*` for any text."""
# A token of RFC 9110, section 5.6.2, without the characters that other readers take for something else.
HeaderName = Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$")]
HeaderValue = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9._~+/=-]+$")]
Cidr = Annotated[str, _checked(_network, "invalid-network"), Field(max_length=43)]
"""A network in CIDR notation without host bits, such as 10.0.0.0/8."""
Quantity = Annotated[
    str,
    BeforeValidator(_number_as_text),
    AfterValidator(_quantity),
    WithJsonSchema({"type": ["string", "number"], "description": "A Kubernetes quantity, such as 1, 500m or 2Gi."}),
]
"""A Kubernetes quantity, held in canonical form."""
