"""What a deployment uses at its peak, as a sum that can be written out.

The peak is all that is asked beside all that is live, each with as many replicas as it may have, so the surge of a
rollout is in it: `intents.usage.peak`, term by term.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from intents.kinds.model_deployment import Version
from intents.kinds.resources import Resources
from intents.usage import ROUTER, Amounts
from reconciler.planning.plan.amounts import Amount, Use, as_use


@dataclass(frozen=True)
class Term:
    """One version's part of a peak, or that of the routers: `replicas` × `each`."""

    version: str
    replicas: int
    each: Amount

    @property
    def product(self) -> Decimal:
        """What all replicas use."""
        return self.replicas * self.each


_ROUTER = "A/B router"
"""No version's name."""


class Peak:
    """The peak of one deployment; a version that is both live and asked counts once, as the larger of the two."""

    def __init__(self, versions: Iterable[Version], routers: int = 0) -> None:
        """Add up what is live and what is asked, and the routers of an InferenceGraph."""
        self._replicas: dict[str, int] = {}
        self._terms: dict[str, dict[str, Term]] = {}
        for version in versions:
            name, replicas = version.name, version.replicas.max
            self._replicas[name] = max(replicas, self._replicas.get(name, 0))
            self._add(name, replicas, version.resources)
        if routers:
            self._add(_ROUTER, routers, ROUTER)

    def _add(self, name: str, replicas: int, resources: Resources) -> None:
        for resource, each in as_use(Amounts.of(resources)).items():
            term, terms = Term(name, replicas, each), self._terms.setdefault(resource, {})
            if name not in terms or term.product > terms[name].product:
                terms[name] = term

    @property
    def replicas(self) -> int:
        """How many replicas of versions there may be at once."""
        return sum(self._replicas.values())

    @cached_property
    def use(self) -> Use:
        """What they use."""
        return {
            resource: sum((term.product for term in terms.values()), Decimal(0))
            for resource, terms in self._terms.items()
        }

    def terms(self, resource: str) -> tuple[Term, ...]:
        """Return the sum that the use of a resource is."""
        return tuple(self._terms.get(resource, {}).values())
