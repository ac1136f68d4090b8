"""What a deployment uses at its peak, as a sum that can be written out.

The peak is all that is asked beside all that is live, each with as many replicas as it may have, so the surge of a
rollout is in it: `intents.usage.peak`, term by term.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from intents.kinds.resources import Resources
from intents.usage import ROUTERS, Amounts, Pods
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


class Peak:
    """The peak of one deployment; a version that is both live and asked counts once, as the larger of the two."""

    def __init__(self, pods: Iterable[Pods]) -> None:
        """Add up what a deployment may have at once."""
        self._replicas: dict[str, int] = {}
        self._terms: dict[str, dict[str, Term]] = {}
        for each in pods:
            self._add(*each)

    def _add(self, name: str, copies: int, resources: Resources) -> None:
        if name != ROUTERS:
            self._replicas[name] = max(copies, self._replicas.get(name, 0))
        for resource, each in as_use(Amounts.of(resources)).items():
            term, terms = Term(name, copies, each), self._terms.setdefault(resource, {})
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
