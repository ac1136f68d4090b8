"""The rules held against manifests, here and now: their CEL itself is evaluated, by its authors' own implementation.

A cluster evaluates variables when they are first asked for; here `cel.bind` gives them their names, so that one
expression holds all rules at once. An object that keeps to all of them, as nearly all do, takes one evaluation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext.ext_bindings import ExtBindings
from cel_expr_python.ext.ext_strings import ExtStrings

from intents.kinds import ClusterSpec, PlatformSpec, TenantSpec
from intents.kinds.platform import Enforcement, PolicyRule
from renderers.canonical import Manifest
from renderers.policies.judged import CARRIERS, VARIABLES
from renderers.policies.rules import Predicate, Rule, Scope, gpu_labels, rules

_CARRYING = frozenset((carrier.group, kind) for carrier in CARRIERS for kind in carrier.kinds)


@dataclass(frozen=True)
class Verdict:
    """One object breaks one rule."""

    rule: PolicyRule
    enforcement: Enforcement
    kind: str
    namespace: str
    name: str
    message: str

    @property
    def refused(self) -> bool:
        """Whether a cluster refuses the object; otherwise it only tells."""
        return self.enforcement is Enforcement.ENFORCE

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}: {self.rule}: {self.message}"


def verdicts(
    objects: Iterable[Manifest], platform: PlatformSpec, cluster: ClusterSpec, tenant: TenantSpec
) -> tuple[Verdict, ...]:
    """Return every rule that an object breaks, as a cluster would say when Argo CD brings it.

    Only what lies in tenants' namespaces is judged; `tenant` is the one whose objects they are.
    """
    judge = _judge(rules(platform, cluster))
    labels = tuple(gpu_labels(tenant).items())
    return tuple(verdict for each in objects for verdict in judge.broken(each, labels))


class _Judge:
    """Rules, compiled. Handing an object over is what an evaluation costs, so there is one for all rules."""

    def __init__(self, held: tuple[Rule, ...]) -> None:
        self._of_kinds = tuple(rule for rule in held if not rule.pods)
        self._of_pods = tuple(rule for rule in held if rule.pods)
        everything = (each for rule in self._of_pods for each in rule.predicates if not _is_of_images(each))
        self._together = _Program(f"[dyn({_all(everything)}), dyn({_IMAGES})]")

    def broken(self, manifest: Manifest, labels: tuple[tuple[str, str], ...]) -> Iterator[Verdict]:
        metadata, version, kind = manifest["metadata"], manifest["apiVersion"], manifest["kind"]
        namespace = metadata.get("namespace", "")
        if "--" not in namespace:  # of the platform itself: `intents.identity.namespace`
            return
        found = [(rule, rule.message) for rule in self._of_kinds if not _allows_kind(rule, version, kind)]
        if (version.rpartition("/")[0], kind) in _CARRYING:
            looked_at = {"kind": kind, "spec": manifest.get("spec", {})}
            found += self._of_pod(
                {"object": looked_at, "namespaceObject": {"metadata": {"labels": dict(labels)}}},
            )
        for rule, message in found:
            yield Verdict(rule.name, rule.enforcement, kind, namespace, str(metadata.get("name", "")), message)

    def _of_pod(self, data: Mapping[str, Any]) -> Iterator[tuple[Rule, str]]:
        answer = self._together.says(data)
        fine, images = answer if isinstance(answer, list) else (False, _program(_IMAGES).says(data))
        for rule in self._of_pods:
            if not fine and (wrong := _wrong(rule, data)):
                yield rule, wrong
            elif off := _off_list(rule, images):
                yield rule, off


_IMAGES = "variables.judged.map(j, (j.containers + j.ephemeral).filter(c, has(c.image)).map(c, c.image))"


def _off_list(rule: Rule, images: Any) -> str:
    """Return what is wrong with the images; `images` is a list for each pod spec, or why there is none."""
    if not any(map(_is_of_images, rule.predicates)):
        return ""
    if not isinstance(images, list):
        return _not_judged(images)
    named = (image for each in images for image in each)
    off = sorted({str(image) for image in named if not (isinstance(image, str) and _allows_image(rule, image))})
    return f"{rule.message}: {', '.join(off)}" if off else ""


def _not_judged(why: object) -> str:
    # As `failurePolicy: Fail` says: what cannot be judged is refused.
    return f"it cannot be judged: {why}"


def _wrong(rule: Rule, data: Mapping[str, Any]) -> str:
    """Return what is wrong where not only an image is."""
    answer = _program(_all(each for each in rule.predicates if not _is_of_images(each))).says(data)
    if answer is True:
        return ""
    return rule.message if answer is False else _not_judged(answer)


@lru_cache(maxsize=4096)
def _allows_kind(rule: Rule, version: str, kind: str) -> bool:
    return _program(_all(rule.predicates)).says({"object": {"apiVersion": version, "kind": kind}}) is True


@lru_cache(maxsize=65_536)
def _allows_image(rule: Rule, image: str) -> bool:
    # Where it matches an expression, that is compiled at each evaluation: 1.5 ms. Images are few.
    of_images = (each for each in rule.predicates if _is_of_images(each))
    return all(_program(each.holds).says({"image": image}) is True for each in of_images)


def _is_of_images(predicate: Predicate) -> bool:
    return predicate.scope is Scope.IMAGES


def _all(predicates: Iterable[Predicate]) -> str:
    return " && ".join(f"({each.expression})" for each in predicates) or "true"


class _Program:
    """One compiled expression over `object`, `namespaceObject` and the variables it asks for, or over an `image`."""

    def __init__(self, expression: str) -> None:
        self._compiled = _environment().compile(_bound(expression))

    def says(self, data: Mapping[str, Any]) -> Any:
        """Return the value as Python has it: of an error, an exception with its text."""
        value = self._compiled.eval(data=data)
        return RuntimeError(str(value.value())) if value.type() == cel.Type.ERROR else value.plain_value()


def _bound(expression: str) -> str:
    """Return an expression in which each variable that it uses has its value."""
    for name, value in reversed(VARIABLES):
        if f"variables.{name}" in expression:
            expression = f"cel.bind(bound_{name}, {value}, {expression.replace(f'variables.{name}', f'bound_{name}')})"
    return expression


@cache
def _environment() -> cel.Env:
    names = ("object", "namespaceObject", "image")
    return cel.NewEnv(variables=dict.fromkeys(names, cel.Type.DYN), extensions=[ExtBindings(), ExtStrings()])


_program = lru_cache(maxsize=1024)(_Program)
_judge = lru_cache(maxsize=64)(_Judge)
