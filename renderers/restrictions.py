"""What tenants' pods are not allowed, so that they keep to the platform's rules by themselves.

Together this is Pod Security's level `restricted`.
"""

from __future__ import annotations

from intents.kinds import PlatformSpec
from intents.kinds.platform import Enforcement, PolicyRule
from renderers.canonical import Manifest

NON_ROOT = 1000
"""The user and group of programs that name none: any but root's; Triton's images have this one too."""


def must_not_be_root(platform: PlatformSpec) -> bool:
    """Whether a program as root would be refused; where that is only told, images decide."""
    return platform.enforcement(PolicyRule.RUN_AS_NON_ROOT) is Enforcement.ENFORCE


def pod_security(platform: PlatformSpec) -> Manifest:
    """Return the securityContext of a pod."""
    user = {"runAsNonRoot": True, "runAsUser": NON_ROOT, "runAsGroup": NON_ROOT} if must_not_be_root(platform) else {}
    return {**user, "seccompProfile": {"type": "RuntimeDefault"}}


def restricted_container() -> Manifest:
    """Return the securityContext of a container whose image has no user of its own to insist on, whatever its pod says.

    It holds under every Pod Security level and every rule of the platform.
    """
    seccomp = {"type": "RuntimeDefault"}
    return {**container_security(), "runAsNonRoot": True, "runAsUser": NON_ROOT, "seccompProfile": seccomp}


def container_security() -> Manifest:
    """Return the securityContext of a container."""
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
