"""Platform: what holds for everyone."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Self
from uuid import UUID

from pydantic import Field, model_validator

from intents.kinds.base import Account, ForgeUrl, GpuType, ImagePattern, Part, Person, Spec, Url, Word, refuse
from intents.kinds.members import WORKER_PREFIX, Subject

# 253 characters less a label and its dot is what a base domain may have.
_DOMAIN = r"^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)*$"


MOST_PEOPLE = 10_000


class Home(StrEnum):
    """Where `main` lives: in the platform's own repository, or on a forge whose main is the truth."""

    LOCAL = "local"
    FORGE = "forge"


class ForgeProvider(StrEnum):
    """The forges that are spoken to."""

    GITHUB = "github"
    GITEA = "gitea"


class Forge(Part):
    """The repository on a forge; its credentials are the installation's, never an intent's."""

    provider: ForgeProvider
    """The sort of forge."""
    url: ForgeUrl
    """The address of the repository on the forge, such as https://github.com/acme/intents."""
    people: Annotated[dict[Account, Person], Field(max_length=MOST_PEOPLE)] = Field(
        default_factory=dict, examples=[{"ann-smith": "ann@acme.example"}]
    )
    """Who is who: accounts on the forge, in small letters, by the user that each is, as members are named.

    What an account approves or closes there counts as that user's word; that of others counts for nothing.
    """

    @model_validator(mode="after")
    def _are_people(self) -> Self:
        for account, user in self.people.items():
            if user.startswith(WORKER_PREFIX):
                message = f"the account `{account}` is said to be `{user}`: {WORKER_PREFIX}… are the platform's own"
                raise refuse("invalid-member", message, "name a person")
        return self


class Repository(Part):
    """The state repository. Uids of runs are derived from `uid`, so it is made once, at seeding."""

    uid: UUID
    """Made when the repository is seeded, and never changed: uids of runs follow from it."""
    home: Home = Home.LOCAL
    forge: Forge | None = None
    """The repository on the forge; given with home `forge`, and only with it."""
    mirror: Url | None = None
    """Where main and the rendered branches are pushed to and never read from; for home `local`."""

    @model_validator(mode="after")
    def _home_is_told(self) -> Self:
        if (self.home is Home.FORGE) != (self.forge is not None):
            raise refuse("invalid-value", "`home: forge` and `forge` come together", "give both or neither")
        if self.mirror is not None and self.home is Home.FORGE:
            raise refuse("invalid-value", "a forge that is home needs no mirror", "remove `mirror`")
        return self


class AuthMode(StrEnum):
    """How a person is known: `passthrough` believes the edge in front, `jwt` checks a token at the edge."""

    PASSTHROUGH = "passthrough"
    JWT = "jwt"


class Jwt(Part):
    """The identity provider whose tokens the edge accepts."""

    issuer: Annotated[Url, Field(max_length=253)]
    """The claim `iss` that tokens must have."""
    audience: Annotated[str, Field(min_length=1, max_length=200)]
    """The claim `aud` that tokens must have."""
    jwks_uri: Annotated[Url, Field(max_length=253)]
    """Where the keys are published that tokens are signed with."""
    tenant_claim: Word
    """The claim that names the tenant of a person, or lists all of them."""
    user_claim: Word = "sub"
    """The claim that names the person, as members are named."""
    groups_claim: Word = "groups"
    """The claim that lists the groups of a person."""


class Auth(Part):
    """How people are authenticated."""

    mode: AuthMode = AuthMode.PASSTHROUGH
    jwt: Jwt | None = None
    """The identity provider; given with mode `jwt`, and only with it."""

    @model_validator(mode="after")
    def _mode_is_told(self) -> Self:
        if (self.mode is AuthMode.JWT) != (self.jwt is not None):
            raise refuse("invalid-value", "`mode: jwt` and `jwt` come together", "give both or neither")
        return self


class Images(Part):
    """Which container images may run."""

    allow: Annotated[tuple[ImagePattern, ...], Field(min_length=1)]
    """Patterns: `<registry>/<repository>`, then `:<tag>` or `@sha256:<digest>`; `*` is any text.

    Short names are Docker Hub's. Without tag and digest every one is allowed; with a tag only images without a digest,
    because beside a digest a tag says nothing.
    """


class PolicyRule(StrEnum):
    """What objects in tenants' namespaces must keep to."""

    IMAGE_ALLOWLIST = "imageAllowlist"
    NO_PRIVILEGED = "noPrivileged"
    NO_HOST_PATH = "noHostPath"
    NO_HOST_NETWORK = "noHostNetwork"
    RUN_AS_NON_ROOT = "runAsNonRoot"
    RESOURCE_LIMITS = "resourceLimits"
    ALLOWED_KINDS = "allowedKinds"
    GPU_TYPES = "gpuTypes"


class Enforcement(StrEnum):
    """What becomes of an object that breaks a rule: told, or refused."""

    AUDIT = "audit"
    ENFORCE = "enforce"


Price = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class Prices(Part):
    """What an hour of use costs; cost in plans follows from it."""

    gpu_hour: dict[GpuType, Price] = Field(default_factory=dict)
    """One GPU for an hour, by type."""
    cpu_hour: Price = 0.0
    """One CPU for an hour."""
    memory_gib_hour: Annotated[Price, Field(alias="memoryGiBHour")] = 0.0
    """One GiB of memory for an hour."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    """The currency of the prices, by its ISO 4217 code."""


class ShareLimit(Part):
    """A share of what there is; up to `floor` are always allowed, so that small trees can be changed."""

    at_most: Annotated[str, Field(pattern=r"^(?:100|[1-9]?[0-9])%$")]
    """The largest share, as a whole percentage such as 20%."""
    floor: Annotated[int, Field(strict=True, ge=0, le=10_000)] = 0
    """A number that is always allowed, whatever share it is."""

    @property
    def share(self) -> float:
        """The share as a number from 0 to 1."""
        return int(self.at_most.removesuffix("%")) / 100


class ChangeLimits(Part):
    """What one change may do without an approver's word."""

    deleted_deployments: ShareLimit | None = None
    """How many deployments one change may delete; absent: any number."""
    tenants_touched: Annotated[int, Field(strict=True, ge=1, le=10_000)] | None = None
    """How many tenants one change may touch; absent: any number."""


class PlatformSpec(Spec):
    """What holds for everyone: the platform's own settings."""

    MUTABLE: ClassVar = frozenset(
        {"base_domain", "repository", "admins", "auth", "images", "policies", "prices", "change_limits"}
    )

    base_domain: Annotated[str, Field(pattern=_DOMAIN, max_length=189)]
    """The domain whose labels are the tenants' host names, such as ml.example.com."""
    repository: Repository
    admins: Annotated[tuple[Subject, ...], Field(min_length=1)]
    """Who may change the platform, its clusters, templates and tenants; no role in any tenant follows from it."""
    auth: Auth = Field(default_factory=Auth)
    images: Images | None = Field(default=None, examples=[{"allow": ["docker.io/library/python:*"]}])
    """Which container images may run; absent: any image."""
    policies: dict[PolicyRule, Enforcement] = Field(default_factory=dict, examples=[{"runAsNonRoot": "audit"}])
    """How far each rule on objects in tenants' namespaces goes; `enforce` where nothing is said."""
    prices: Prices | None = Field(default=None, examples=[{"cpuHour": 0.04, "memoryGiBHour": 0.005}])
    """What an hour of use costs; absent: plans show no cost."""
    change_limits: ChangeLimits = Field(default_factory=ChangeLimits, examples=[{"tenantsTouched": 5}])

    def enforcement(self, rule: PolicyRule) -> Enforcement:
        """Return how far `rule` goes."""
        return self.policies.get(rule, Enforcement.ENFORCE)
