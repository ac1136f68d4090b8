"""Whatever an object says, Python, Kubernetes and Kyverno give the same verdict on it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from intents.images import allowed
from intents.kinds.platform import Images, PolicyRule
from renderers import marks
from renderers.policies.engines import kyverno_policies, validating_policies
from renderers.policies.rules import COMPONENT_IMAGES, gpu_labels
from renderers.policies.verdicts import verdicts
from tests.fixtures.admission import Request, admit
from tests.fixtures.policy_objects import OTHER_SELECTOR, SELECTOR, carrying, inference_service
from tests.fixtures.policy_objects import settings as platform_settings

PLATFORM, ON, TENANT = platform_settings()
LABELS = {marks.TENANT: "acme", **gpu_labels(TENANT)}
VALIDATING = list(validating_policies(PLATFORM, ON))
KYVERNO = list(kyverno_policies(PLATFORM, ON))

ABSENT = object()


def mapping(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw mappings in which each field may be absent."""
    drawn = {name: st.just(ABSENT) | values for name, values in fields.items()}
    return st.fixed_dictionaries(drawn).map(
        lambda found: {name: value for name, value in found.items() if value is not ABSENT}
    )


QUANTITIES = st.fixed_dictionaries(
    {}, optional={name: st.just("1") for name in ("cpu", "memory", "nvidia.com/gpu", "amd.com/gpu")}
)
# Also what no API server lets through: it must not be let through here either.
ODD: st.SearchStrategy[Any] = st.sampled_from([None, 0, "", "yes", [], {}])
FLAG = st.booleans() | ODD
IMAGES = st.sampled_from(["python:3.11", "python", "evil/x:1", "nvcr.io/nvidia/tritonserver:1", "a//b", ":", "@"]) | ODD
CONTAINERS = st.lists(
    mapping(
        image=IMAGES,
        securityContext=mapping(privileged=FLAG, runAsNonRoot=FLAG, runAsUser=st.sampled_from([0, 1, 1000])) | ODD,
        resources=mapping(limits=QUANTITIES, requests=QUANTITIES) | ODD,
        ports=st.lists(mapping(hostPort=st.sampled_from([0, 1])), max_size=2) | ODD,
    ),
    max_size=2,
)
PODS = mapping(
    containers=CONTAINERS | ODD,
    initContainers=CONTAINERS,
    ephemeralContainers=CONTAINERS,
    model=mapping(image=IMAGES, resources=mapping(limits=QUANTITIES)),
    workerSpec=mapping(containers=CONTAINERS),
    nodeSelector=st.sampled_from([SELECTOR, OTHER_SELECTOR, {}, None]),
    volumes=st.lists(mapping(hostPath=st.just({}), emptyDir=st.just({})), max_size=2),
    hostNetwork=FLAG,
    hostPID=FLAG,
    securityContext=mapping(runAsNonRoot=FLAG, runAsUser=st.sampled_from([0, 1])),
)
OBJECTS = st.one_of(
    st.builds(carrying, st.sampled_from(["Pod", "Deployment", "CronJob", "JobSet"]), PODS),
    st.builds(lambda spec: inference_service(predictor=spec), PODS),
    st.builds(lambda spec, other: inference_service(predictor=spec, transformer=other), PODS, PODS),
)


@settings(max_examples=300, deadline=None)
@given(OBJECTS)
def test_there_is_one_verdict(manifest: dict[str, Any]) -> None:
    found = {each.rule for each in verdicts([manifest], PLATFORM, ON, TENANT)} - {PolicyRule.ALLOWED_KINDS}
    request = Request(manifest, LABELS)
    for policies in (VALIDATING, KYVERNO):
        assert len(admit(policies, request).denied) == len(found), (found, admit(policies, request))
        assert {name.removeprefix("ordain-").replace("-", "") for name in admit(policies, request).denied} == {
            rule.value.lower() for rule in found
        }


NAMES = st.text("ab", min_size=1, max_size=2)
REGISTRIES = st.sampled_from(["", "docker.io/", "index.docker.io/", "localhost/", "a.b/", "a:5/", "library/"])
VERSIONS = st.sampled_from(["", ":1", ":1.2-a", "@sha256:" + "0" * 64, ":1@sha256:" + "0" * 64])
SPELLINGS = st.builds(
    lambda registry, path, version: registry + "/".join(path) + version,
    REGISTRIES,
    st.lists(NAMES, min_size=1, max_size=3),
    VERSIONS,
)
PATTERNS = st.builds(
    lambda image, cut, star: image[: cut % (len(image) + 1)] + star or "*",
    SPELLINGS,
    st.integers(0, 100),
    st.sampled_from(["", "*"]),
).filter(lambda pattern: pattern[0] not in "/:@." and "@sha" not in pattern[-8:])


@settings(max_examples=300, deadline=None)
@given(st.lists(SPELLINGS, min_size=1, max_size=4), st.lists(PATTERNS, min_size=1, max_size=3))
def test_the_allowlist_in_cel_is_the_allowlist_of_the_language(images: list[str], patterns: list[str]) -> None:
    platform = PLATFORM.model_copy(update={"images": Images.model_construct(allow=tuple(patterns))})
    containers = [{"name": str(place), "image": image} for place, image in enumerate(images)]
    manifest = carrying("Pod", {"containers": containers})
    off = {image for image in images if not allowed(image, (*patterns, *COMPONENT_IMAGES))}
    found = {each.rule: each.message for each in verdicts([manifest], platform, ON, TENANT)}
    assert (PolicyRule.IMAGE_ALLOWLIST in found) is bool(off)
    assert not off or set(found[PolicyRule.IMAGE_ALLOWLIST].rpartition(": ")[2].split(", ")) == off
