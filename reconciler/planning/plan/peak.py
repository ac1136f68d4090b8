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
from intents.usage import Amounts
from reconciler.planning.plan.amounts import Amount, Use, as_use


@dataclass(frozen=True)
class Term:
    """One version's part of a peak: `replicas` × `each`."""

    version: str
    replicas: int
    each: Amount

    @property
    def product(self) -> Decimal:
        """What all replicas use."""
        return self.replicas * self.each


class Peak:
    """The peak of one deployment; a version that is both live and asked counts once, as the larger of the two."""

    def __init__(self, versions: Iterable[Version]) -> None:
        """Add up what is live and what is asked."""
        self._replicas: dict[str, int] = {}
        self._terms: dict[str, dict[str, Term]] = {}
        for version in versions:
            self._add(version)

    def _add(self, version: Version) -> None:
        name, replicas = version.name, version.replicas.max
        self._replicas[name] = max(replicas, self._replicas.get(name, 0))
        for resource, each in as_use(Amounts.of(version.resources)).items():
            term, terms = Term(name, replicas, each), self._terms.setdefault(resource, {})
            if name not in terms or term.product > terms[name].product:
                terms[name] = term

    @property
    def replicas(self) -> int:
        """How many replicas there may be at once."""
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
