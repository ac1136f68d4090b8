"""What deployments cost a month, before and after, from the price list of the platform.

An hour of every replica costs its CPUs, memory and GPUs; a month has 730 hours (365 days × 24 h ÷ 12). The range is
from the fewest to the most replicas that autoscaling may choose, of what is live once the rollout is over. Runs and
training jobs end, so they are not in it, nor are the routers of A/B tests, a tenth of a CPU each. Each deployment's
cost is rounded to hundredths; sums add what is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

from intents.kinds.model_deployment import Version
from intents.kinds.platform import Prices
from intents.usage import Amounts
from reconciler.planning.plan.amounts import plain
from reconciler.planning.plan.deployments import Touched

HOURS = 730
_CENT = Decimal("0.01")
_GIB = Decimal(2**30)
_NOTHING = Decimal("0.00")


@dataclass(frozen=True)
class CostRange:
    """Cost a month with the fewest and with the most replicas."""

    min: Decimal
    max: Decimal

    def __add__(self, other: CostRange) -> CostRange:
        return CostRange(self.min + other.min, self.max + other.max)


@dataclass(frozen=True)
class DeploymentCost:
    """What one deployment costs a month, and how that is reckoned."""

    tenant: str
    project: str
    deployment: str
    before: CostRange
    after: CostRange
    before_sum: str
    after_sum: str


@dataclass(frozen=True)
class Cost:
    """What a change does to the cost of a month: the deployments that cost otherwise than before, and their sums."""

    currency_before: str | None
    currency_after: str | None
    before: CostRange
    after: CostRange
    deployments: tuple[DeploymentCost, ...]
    unpriced: tuple[str, ...]
    """Types of GPU in use without a price: they count as nothing."""


FREE = CostRange(_NOTHING, _NOTHING)


def cost(deployments: Iterable[Touched], before: Prices | None, after: Prices | None) -> Cost | None:
    """Return what changes; None where nothing has a price or nothing costs otherwise."""
    if before is None and after is None:
        return None
    touched = list(deployments)
    each = tuple(found for item in touched if (found := _of(item, before, after)).before != found.after)
    unpriced = _unpriced(touched, after)
    if not each and before == after and not unpriced:
        return None
    return Cost(
        currency_before=before.currency if before else None,
        currency_after=after.currency if after else None,
        before=sum((item.before for item in each), FREE),
        after=sum((item.after for item in each), FREE),
        deployments=each,
        unpriced=unpriced,
    )


def _of(touched: Touched, before: Prices | None, after: Prices | None) -> DeploymentCost:
    old, new = touched.before.settled, touched.after.settled
    return DeploymentCost(
        tenant=touched.tenant,
        project=touched.project,
        deployment=touched.name,
        before=_range(old, before),
        after=_range(new, after),
        before_sum=_sum(old, before),
        after_sum=_sum(new, after),
    )


def _range(versions: Sequence[Version], prices: Prices | None) -> CostRange:
    if prices is None:
        return FREE
    hourly = [(each.replicas, _hour(each, prices)) for each in versions]
    fewest = sum((replicas.min * price for replicas, price in hourly), Decimal(0))
    most = sum((replicas.max * price for replicas, price in hourly), Decimal(0))
    return CostRange(_rounded(fewest * HOURS), _rounded(most * HOURS))


def _hour(version: Version, prices: Prices) -> Decimal:
    """Return what one replica costs in an hour."""
    return sum((count * price for count, _, price in _parts(version, prices)), Decimal(0))


def _rounded(amount: Decimal) -> Decimal:
    # The usual 28 digits are too few for what the largest quantities, replicas and prices come to.
    return amount.quantize(_CENT, context=Context(prec=60))


def _sum(versions: Sequence[Version], prices: Prices | None) -> str:
    """Write the cost out: `v1: 1–3 × (2 CPU × 0.04 + 4 GiB × 0.005) × 730 h`."""
    return " + ".join(_product(each, prices) for each in versions) if prices else ""


def _product(version: Version, prices: Prices) -> str:
    parts = " + ".join(f"{plain(count)} {unit} × {plain(price)}" for count, unit, price in _parts(version, prices))
    fewest, most = version.replicas.min, version.replicas.max
    return f"{version.name}: {fewest if fewest == most else f'{fewest}–{most}'} × ({parts}) × {HOURS} h"


def _parts(version: Version, prices: Prices) -> Iterator[tuple[Decimal, str, Decimal]]:
    """Yield what one replica uses in an hour: how much, of what, at which price."""
    uses = Amounts.of(version.resources)
    yield uses.cpus, "CPU", _price(prices.cpu_hour)
    yield uses.memory / _GIB, "GiB", _price(prices.memory_gib_hour)
    for name, count in uses.gpus.items():
        yield Decimal(count), name, _price(prices.gpu_hour.get(name, 0.0))


def _price(number: float) -> Decimal:
    """Return the price as it was written, not the binary fraction next to it."""
    return Decimal(repr(number))


def _unpriced(touched: Iterable[Touched], prices: Prices | None) -> tuple[str, ...]:
    known = prices.gpu_hour if prices else {}
    versions = (version for each in touched for version in each.after.settled)
    return tuple(sorted({name for version in versions for name in version.resources.gpus if name not in known}))
