"""Strategies: specs of every kind, and small changes of the small tree."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from intents.kinds import SPECS, Kind, Spec
from intents.kinds.network import METADATA_ADDRESSES, network_of
from intents.names import RULES

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
    | st.sampled_from(
        ["no", "1e3", "0755", "12:30", "2026-11-23", "~", "", "<<", "a: b", "- x", "#", "\u2028", "\x85"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=4)


SHARES = st.integers(0, 100)
PRICES = st.floats(0, 1_000_000)
DURATIONS = st.from_regex(r"[1-9][0-9]{0,4}[smh]", fullmatch=True)
URLS = st.from_regex(r"https://[a-z]{1,10}\.example/[a-z]{0,5}", fullmatch=True)
FORGE_URLS = st.from_regex(r"https?://[a-z]{1,10}\.example(:[0-9]{1,4})?/[a-z]{1,5}/[a-z.]{1,5}", fullmatch=True)
IMAGES = st.from_regex(r"[a-z]{1,8}\.example/[a-z]{1,8}:[a-z0-9]{1,5}(@sha256:[0-9a-f]{64})?", fullmatch=True)
NETWORKS = st.ip_addresses(v=4).map(lambda address: f"{address}/32").filter(
    lambda text: network_of(text) not in METADATA_ADDRESSES
) | st.sampled_from(["0.0.0.0/0", "10.0.0.0/8", "169.254.0.0/16", "::ffff:169.254.0.0/112", "::/0", "fd00::/8"])


def name(what: str) -> st.SearchStrategy[str]:
    """Names of a sort, up to their limit."""
    rule = RULES[what]
    return st.from_regex(rule.pattern, fullmatch=True).filter(lambda text: len(text) <= rule.limit)


HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
DIGESTS = HEX.map(lambda text: f"sha256:{text}")
BLOBS = st.text("0123456789abcdef", min_size=40, max_size=40)
COUNTS = st.integers(1, 10_000)
PERSONS = st.from_regex(r"[a-z]{1,10}@[a-z]{1,10}", fullmatch=True)
QUANTITIES = st.from_regex(r"[1-9][0-9]{0,3}(\.[1-9])?(m|k|Mi|Gi)?", fullmatch=True) | st.integers(1, 2**40)
MODEL_REFS = st.builds("{}@{}".format, name("model"), st.integers(1, 999_999_999))
TEMPLATE_REFS = st.builds("{}@{}".format, name("template"), name("template version"))
WORDS = st.from_regex(r"[a-z][a-z0-9_-]{0,10}", fullmatch=True)


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def _all(
    required: dict[str, st.SearchStrategy[Any]], **optional: st.SearchStrategy[Any]
) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


def _replicas(bounds: tuple[int, int]) -> dict[str, int]:
    return {"min": min(bounds), "max": max(bounds)}


_SUBJECTS = PERSONS.map(lambda who: {"user": who}) | PERSONS.map(lambda who: {"group": who})
_ROLES = st.lists(st.sampled_from(["viewer", "developer", "approver", "admin"]), min_size=1, max_size=4)
_GPUS = st.dictionaries(name("GPU type"), COUNTS, max_size=1)
_RESOURCES = _some(cpus=QUANTITIES, memory=QUANTITIES, gpus=_GPUS)
_QUOTA = _some(
    cpus=QUANTITIES,
    memory=QUANTITIES,
    gpus=st.dictionaries(name("GPU type"), COUNTS, max_size=2),
    concurrentRuns=COUNTS,
)
_VERSION = {"name": name("version"), "model": MODEL_REFS, "digest": DIGESTS}
_SERVED = {"replicas": st.tuples(COUNTS, COUNTS).map(_replicas), "resources": _RESOURCES}
_VERSIONS = st.lists(_all(_VERSION, **_SERVED), min_size=1, max_size=3)
_LIVE = st.lists(_all({**_VERSION, "weight": SHARES}, **_SERVED), min_size=1, max_size=3)
_FILES = st.fixed_dictionaries(
    {
        "path": st.from_regex(r"[a-z]{1,5}(/[a-z0-9]{1,5}){0,3}", fullmatch=True),
        "size": st.integers(0, 2**40),
        "sha256": HEX,
    }
)
_REGISTER = _all({"model": name("model")}, output=WORDS)
_RUN = {"parameters": OBJECTS, "register": _REGISTER, "deadline": DURATIONS, "tries": st.integers(1, 10)}
_DESIRED = st.sampled_from(["Running", "Cancelled"])

_PAIR = {"stable": name("version"), "candidate": name("version")}
_GATE = _all(
    {
        "metric": st.sampled_from(["errorRate", "p50LatencyMs", "p95LatencyMs", "p99LatencyMs"]),
        "below": st.floats(1e-6, 1e9),
    },
    minRequests=COUNTS,
)
_STEP = _all({"weight": SHARES}, atLeast=DURATIONS, gates=st.lists(_GATE, max_size=2))
_NAME_VALUE = st.fixed_dictionaries({"name": st.just("X-Arm"), "value": WORDS})
_MATCH = st.builds(
    lambda version, kind, pair: {"version": version, kind: pair},
    name("version"),
    st.sampled_from(["header", "cookie"]),
    _NAME_VALUE,
)
TRAFFIC = st.one_of(
    st.just({"replace": {}}),
    st.fixed_dictionaries(
        {
            "canary": _all(
                {**_PAIR, "steps": st.lists(_STEP, min_size=1, max_size=3)},
                onFailure=st.sampled_from(["rollback", "hold"]),
            )
        }
    ),
    st.fixed_dictionaries({"blueGreen": _all(_PAIR, atLeast=DURATIONS, keep=DURATIONS)}),
    st.fixed_dictionaries(
        {
            "ab": _all(
                {"split": st.dictionaries(name("version"), SHARES, min_size=2, max_size=3)},
                match=st.lists(_MATCH, max_size=2),
                splitter=st.sampled_from(["edge", "inferenceGraph"]),
            )
        }
    ),
    st.fixed_dictionaries({"shadow": _all(_PAIR, percent=st.integers(1, 100))}),
)
_LABELS = st.from_regex(r"[a-z]([a-z0-9_.-]{0,10}[a-z0-9])?", fullmatch=True)
_POOL = _all(
    {"type": name("GPU type"), "count": COUNTS},
    resource=st.sampled_from(["nvidia.com/gpu", "amd.com/gpu"]),
    nodeSelector=st.dictionaries(_LABELS, _LABELS, max_size=2),
    tolerations=st.lists(
        _all({"key": _LABELS, "operator": st.just("Exists")})
        | _all({"key": _LABELS}, operator=st.just("Equal"), value=_LABELS),
        max_size=2,
    ),
)
_KSERVE = _some(mode=st.sampled_from(["Standard", "Knative"]), version=st.just("0.20"))
_CLUSTER = {
    "kserve": _KSERVE,
    "gpuPools": st.lists(_POOL, max_size=2),
    "capacity": st.fixed_dictionaries({"cpus": QUANTITIES, "memory": QUANTITIES}),
}
_PORTS = st.lists(st.integers(1, 65535), min_size=1, max_size=3)
_KUBERNETES = _all(
    {"argocd": _all({"repoURL": URLS}, namespace=st.just("argocd")), "kfp": st.fixed_dictionaries({"endpoint": URLS})},
    gateway=_all({"class": st.just("envoy")}, namespace=st.just("edge")),
    credentials=_some(objectStore=st.just("s3"), images=st.just("registry")),
    egress=st.lists(
        _all({"to": NETWORKS, "ports": _PORTS}) | _all({"namespace": st.just("s3"), "ports": _PORTS}), max_size=2
    ),
)
_UID = {"uid": st.uuids().map(str)}
_RULES = st.sampled_from(["imageAllowlist", "noPrivileged", "runAsNonRoot", "resourceLimits", "gpuTypes"])

DOCUMENTS: dict[Kind, st.SearchStrategy[dict[str, Any]]] = {
    Kind.PLATFORM: _all(
        {
            "baseDomain": st.just("ml.localhost"),
            "repository": _all(_UID, home=st.just("local"), mirror=URLS)
            | _all(
                {
                    **_UID,
                    "home": st.just("forge"),
                    "forge": st.fixed_dictionaries({"provider": st.just("gitea"), "url": FORGE_URLS}),
                }
            ),
            "admins": st.lists(_SUBJECTS, min_size=1, max_size=3),
        },
        auth=_some(mode=st.just("passthrough"))
        | st.fixed_dictionaries(
            {
                "mode": st.just("jwt"),
                "jwt": _all(
                    {"issuer": URLS, "audience": WORDS, "jwksUri": URLS, "tenantClaim": WORDS},
                    groupsClaim=WORDS,
                    userClaim=WORDS,
                ),
            }
        ),
        images=st.fixed_dictionaries({"allow": st.lists(IMAGES | st.just("docker.io/*"), min_size=1, max_size=3)}),
        policies=st.dictionaries(_RULES, st.sampled_from(["audit", "enforce"]), max_size=3),
        prices=_some(
            gpuHour=st.dictionaries(name("GPU type"), PRICES, max_size=2),
            cpuHour=PRICES,
            memoryGiBHour=PRICES,
            currency=st.just("CHF"),
        ),
        changeLimits=_some(
            deletedDeployments=_all({"atMost": SHARES.map(lambda share: f"{share}%")}, floor=st.integers(0, 10)),
            tenantsTouched=COUNTS,
        ),
    ),
    Kind.CLUSTER: _all({"driver": st.just("local")}, **_CLUSTER)
    | _all({"driver": st.just("kubernetes"), "kubernetes": _KUBERNETES}, **_CLUSTER),
    Kind.TENANT: _all(
        {
            "displayName": TEXT,
            "hostnames": st.lists(name("hostname"), min_size=1, max_size=3),
            "defaultProject": name("project"),
        },
        quota=_QUOTA,
        members=st.lists(st.builds(lambda who, roles: {**who, "roles": roles}, _SUBJECTS, _ROLES), max_size=3),
        egress=st.lists(
            st.fixed_dictionaries({"to": NETWORKS, "ports": _PORTS}),
            max_size=2,
        ),
    ),
    Kind.PROJECT: _all(
        {"cluster": name("cluster")},
        quota=_QUOTA,
        approvals=st.dictionaries(st.sampled_from(["Schedule", "ModelDeployment"]), st.integers(0, 10)),
    ),
    Kind.TEMPLATE: st.one_of(
        *(
            _all(
                program,
                parameters=OBJECTS,
                resources=_RESOURCES,
                tenants=st.lists(name("tenant"), max_size=3),
                models=st.lists(st.fixed_dictionaries({"task": WORDS, "output": WORDS}), max_size=3),
                deprecated=TEXT,
            )
            for program in (
                {"package": _all({"sha256": HEX}, file=st.just("pipeline.yaml"))},
                {
                    "training": st.fixed_dictionaries(
                        {"image": IMAGES, "command": st.lists(TEXT, min_size=1, max_size=3)}
                    )
                },
            )
        )
    ),
    Kind.RUN: _all({"template": TEMPLATE_REFS}, **_RUN, desired=_DESIRED, attempt=COUNTS),
    Kind.SCHEDULE: _all(
        {"cron": st.just("0 3 * * *"), "run": _all({"template": TEMPLATE_REFS}, **_RUN)},
        timeZone=st.just("Europe/Zurich"),
        concurrency=st.sampled_from(["Allow", "Forbid", "Replace"]),
        catchUp=st.integers(0, 100),
        suspended=st.booleans(),
    ),
    Kind.TRAINING_JOB: _all(
        {"template": TEMPLATE_REFS},
        nodes=st.integers(1, 1000),
        parameters=OBJECTS,
        resources=_RESOURCES,
        register=_REGISTER,
        deadline=DURATIONS,
        desired=_DESIRED,
        attempt=COUNTS,
    ),
    Kind.MODEL_VERSION: _all(
        {"digest": DIGESTS, "files": st.lists(_FILES, min_size=1, max_size=3)},
        signature=OBJECTS,
        lineage=_all({"run": st.just("runs/2026-11-23/first"), "task": WORDS}, commit=BLOBS),
    ),
    Kind.MODEL_DEPLOYMENT: _all(
        {"runtime": st.just("triton"), "versions": _VERSIONS, "traffic": TRAFFIC},
        endpoint=_some(
            timeout=DURATIONS,
            access=st.sampled_from(["tenant", "platform", "public"]),
            rateLimit=st.fixed_dictionaries({"requestsPerSecond": COUNTS}),
        ),
    ),
    Kind.ROLLOUT: _all(
        {"of": BLOBS, "live": _LIVE},
        lastGood=_LIVE,
        step=st.integers(0, 1000),
        hold=st.fixed_dictionaries({"reason": TEXT, "by": PERSONS}),
    ),
}
"""Valid specs of each kind, as people write them."""


def specs(kind: Kind) -> st.SearchStrategy[Spec]:
    """Valid specs of a kind."""
    return DOCUMENTS[kind].map(lambda fields: SPECS[kind].model_validate(fields, by_alias=True, by_name=False))
