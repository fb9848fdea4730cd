"""What jobs of a backend usually cost, and why: the references that a job is held against, in bounded memory.

Two of them. Costs themselves (natural logarithms), for spikes: the last whole 2,000 jobs, spikes included, since a
tail without its largest values is none. And residuals, for the price: what is left of log(cost / executions) when the
mean of jobs with as many shots is taken away (between two such means, the line between them in logarithms). That holds
for any price list, with a fee per execution or without, and a mean of logarithms stands a heavy tail. Means and
residuals are learnt from 500 jobs and then stand still.
"""

import math
from array import array
from bisect import bisect_left, insort
from statistics import median

from msgspec import Struct, field

COSTS_KEPT = 2000
RESIDUALS_KEPT = 500
_DIGITS = 4
"""A residual is told apart to 0.01 %: prices that are exact give equal residuals, not rounding noise."""
CELLS_KEPT = 32
LEAST_JOBS = 5
"""Jobs from which a mean is one."""


class Drivers(Struct, frozen=True, gc=False):
    """What one job asked for: shots of an execution and executions, None where unknown."""

    shots: float | None
    executions: float


class Cell(Struct, gc=False, array_like=True):
    """The jobs of one number of shots: its logarithm, the mean of log(cost / executions), how many jobs."""

    log_shots: float
    mean: float
    jobs: int


class Usual(Struct, gc=False):
    """The references, packed as 32-bit floats: sorted, but for `fresh`, which replaces `costs` when it is full."""

    costs: bytes = b""
    fresh: bytes = b""
    residuals: bytes = b""
    shots: bytes = b""
    executions: bytes = b""
    cells: list[Cell] = field(default_factory=list)


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
    """Take one job into the mean of its number of shots, and its residual into the reference."""
    if drivers.shots is None or not cost > 0.0:
        return
    learning = len(usual.residuals) < 4 * RESIDUALS_KEPT
    _learn_cell(usual.cells, _log(drivers.shots), math.log(cost / drivers.executions), learning=learning)
    if learning:
        if residual is not None:
            usual.residuals = _insert(usual.residuals, residual)
        if len(usual.shots) < 4 * RESIDUALS_KEPT:
            usual.shots = _insert(usual.shots, _log(drivers.shots))
            usual.executions = _insert(usual.executions, _log(drivers.executions))


def residual_of(usual: Usual, cost: float, drivers: Drivers) -> float | None:
    """Return log(cost / usual), None where what is usual for such a number of shots is not known yet."""
    if drivers.shots is None or not cost > 0.0:
        return None
    expected = _expect(usual.cells, _log(drivers.shots))
    return None if expected is None else packed(round(math.log(cost / drivers.executions) - expected, _DIGITS))


def _expect(cells: list[Cell], log_shots: float) -> float | None:
    at = bisect_left(cells, log_shots, key=_shots_of)
    if at < len(cells) and cells[at].log_shots == log_shots:
        return cells[at].mean if cells[at].jobs >= LEAST_JOBS else None
    if not 0 < at < len(cells):
        return None
    left, right = cells[at - 1], cells[at]
    if min(left.jobs, right.jobs) < LEAST_JOBS:
        return None
    share = (log_shots - left.log_shots) / (right.log_shots - left.log_shots)
    return left.mean + share * (right.mean - left.mean)


def _learn_cell(cells: list[Cell], log_shots: float, value: float, *, learning: bool) -> None:
    """Move the cell's mean, as long as it is learnt; a new number of shots is always learnt, while there is room."""
    at = bisect_left(cells, log_shots, key=_shots_of)
    if at < len(cells) and cells[at].log_shots == log_shots:
        cell = cells[at]
        if learning or cell.jobs < LEAST_JOBS:
            cell.jobs += 1
            cell.mean += (value - cell.mean) / cell.jobs
    elif len(cells) < CELLS_KEPT:
        cells.insert(at, Cell(log_shots, value, 1))


def _shots_of(cell: Cell) -> float:
    return cell.log_shots


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


def _insert(raw: bytes, value: float) -> bytes:
    values = unpack(raw)
    insort(values, packed(value))
    return values.tobytes()


def _log(value: float) -> float:
    return packed(math.log(max(value, 1.0)))
