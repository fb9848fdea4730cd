"""What jobs of a backend usually cost, and why: the references that a job is held against, in bounded memory.

Two of them. Costs themselves (natural logarithms), for spikes: the last whole 2,000 jobs, spikes included, since a
tail without its largest values is none. And residuals, for the price: log(cost / predicted), where the prediction
conditions on the known drivers, cost = executions x (a + b x shots), fitted by least squares of relative errors over
the same jobs; those stop at 500, and at any finding.
"""

import math
from array import array
from bisect import insort
from statistics import median

from msgspec import Struct, field

COSTS_KEPT = 2000
RESIDUALS_KEPT = 500
_DIGITS = 4
"""A residual is told apart to 0.01 %: prices that are exact give equal residuals, not rounding noise."""
_MARGIN = 1.01


class Drivers(Struct, frozen=True, gc=False):
    """What one job asked for: shots of an execution and executions, None where unknown."""

    shots: float | None
    executions: float


class Price(Struct, gc=False):
    """The sums of least squares of 1 = a u + b v, u = executions / cost, v = u x shots; `low`, `high`: shots seen."""

    uu: float = 0.0
    uv: float = 0.0
    vv: float = 0.0
    u: float = 0.0
    v: float = 0.0
    low: float = 0.0
    high: float = 0.0


class Usual(Struct, gc=False):
    """The references, packed as 32-bit floats: sorted, but for `fresh`, which replaces `costs` when it is full."""

    costs: bytes = b""
    fresh: bytes = b""
    residuals: bytes = b""
    shots: bytes = b""
    executions: bytes = b""
    price: Price = field(default_factory=Price)


def unpack(raw: bytes) -> "array[float]":
    """Return the values of a packed reference."""
    values: array[float] = array("f")
    values.frombytes(raw)
    return values


def packed(value: float) -> float:
    """Return a value as a reference keeps it, so that equal ones compare equal."""
    return array("f", [value])[0]


def learn_cost(usual: Usual, log_cost: float) -> None:
    """Take one job's cost into the reference of spikes."""
    if len(usual.costs) < 4 * COSTS_KEPT:
        usual.costs = _insert(usual.costs, log_cost)
        return
    usual.fresh += array("f", [log_cost]).tobytes()
    if len(usual.fresh) >= 4 * COSTS_KEPT:
        usual.costs, usual.fresh = array("f", sorted(unpack(usual.fresh))).tobytes(), b""


def learn_price(usual: Usual, cost: float, drivers: Drivers, residual: float | None) -> None:
    """Take one job's price into the model, and its residual into the reference."""
    if drivers.shots is None or not cost > 0.0:
        return
    u = drivers.executions / cost
    v = u * drivers.shots
    price = usual.price
    if len(usual.residuals) < 4 * RESIDUALS_KEPT or not _covers(price, drivers.shots):
        price.uu += u * u
        price.uv += u * v
        price.vv += v * v
        price.u += u
        price.v += v
        price.low = min(price.low or drivers.shots, drivers.shots)
        price.high = max(price.high, drivers.shots)
    if len(usual.residuals) < 4 * RESIDUALS_KEPT:
        usual.residuals = _insert(usual.residuals, 0.0 if residual is None else residual)
        usual.shots = _insert(usual.shots, _log(drivers.shots))
        usual.executions = _insert(usual.executions, _log(drivers.executions))


def residual_of(usual: Usual, cost: float, drivers: Drivers) -> float | None:
    """Return log(cost / predicted), None where no prediction is known for such a number of shots."""
    shots = drivers.shots
    if shots is None or not cost > 0.0 or not usual.residuals or not _covers(usual.price, shots):
        return None
    fixed, per_shot = solve_price(usual.price)
    predicted = drivers.executions * (fixed + per_shot * shots)
    return packed(round(math.log(cost / predicted), _DIGITS)) if predicted > 0.0 else None


def solve_price(price: Price) -> tuple[float, float]:
    """Return (a, b), the price of an execution and of a shot, neither negative.

    >>> solve_price(Price(uu=5.0, uv=30.0, vv=200.0, u=3.0, v=20.0))
    (0.0, 0.1)
    """
    determinant = price.uu * price.vv - price.uv * price.uv
    if determinant > 1e-9 * price.uu * price.vv:
        fixed = (price.u * price.vv - price.v * price.uv) / determinant
        per_shot = (price.v * price.uu - price.u * price.uv) / determinant
        if fixed >= 0.0 and per_shot >= 0.0:
            return fixed, per_shot
        if per_shot < 0.0:
            return price.u / price.uu, 0.0
    return 0.0, (price.v / price.vv if price.vv else 0.0)


def causes_of(usual: Usual, drivers: Drivers, residual: float | None, log_cost: float) -> list[tuple[str, float]]:
    """Return the drivers of a cost and by which factor each is above its median, the largest first."""
    if drivers.shots is None or not usual.shots:
        return [("cost", _factor(log_cost, usual.costs))]
    found = [
        ("shots", _factor(_log(drivers.shots), usual.shots)),
        ("executions", _factor(_log(drivers.executions), usual.executions)),
    ]
    if residual is not None:
        found.append(("price", _factor(residual, usual.residuals)))
    return sorted(found, key=lambda cause: -cause[1])


def _factor(value: float, reference: bytes) -> float:
    return math.exp(min(700.0, value - median(unpack(reference)))) if reference else 1.0


def _covers(price: Price, shots: float) -> bool:
    return price.low / _MARGIN <= shots <= price.high * _MARGIN


def _insert(raw: bytes, value: float) -> bytes:
    values = unpack(raw)
    insort(values, packed(value))
    return values.tobytes()


def _log(value: float) -> float:
    return math.log(max(value, 1.0))
