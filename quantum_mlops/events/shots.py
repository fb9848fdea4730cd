"""Measured shots: outcomes of one circuit execution, small enough for one event.

Bit order: bit 0 of an outcome is the first measured bit of the first register (Qiskit's order, the
rightmost character of its bitstrings). Keys are packed big-endian, `ceil(bits / 8)` bytes each.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from quantum_mlops.events.calibration import CalibrationColumn
from quantum_mlops.events.envelope import Label
from quantum_mlops.events.job import Count, Footprint

MAX_TOP_OUTCOMES = 64
MAX_STATISTICS_BITS = 2048


class Register(Struct, frozen=True, kw_only=True, gc=False):
    """A classical register: its name and its number of bits, in the order of the packed outcome."""

    name: Label
    bits: Annotated[int, Meta(ge=0, le=100_000)]


class Outcomes(Struct, frozen=True, kw_only=True, gc=False):
    """Outcomes with their counts: `keys` holds one packed key per entry of `counts`, ascending.

    >>> Outcomes(bits=4, keys=bytes([0, 15]), counts=[500, 524]).counts
    [500, 524]
    """

    bits: Annotated[int, Meta(ge=0, le=100_000)]
    keys: bytes
    counts: list[Count]


class ShotStatistics(Struct, frozen=True, kw_only=True, gc=False):
    """Fixed-size statistics in place of outcomes that do not fit in one event.

    `ones[i]` counts shots with bit i set; `parities[i]` counts shots in which bits i and i + 1
    differ; both end at 2,048 bits. `top` holds the 64 most frequent outcomes (ties by key), `rest`
    counts the shots outside it.
    """

    bits: Annotated[int, Meta(ge=0, le=100_000)]
    ones: list[Count]
    parities: list[Count]
    top: Outcomes
    rest: Count


class Expectation(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Expectation values of an estimator; `standard_errors` as reported, null where exact."""

    observables: Label
    values: list[float]
    standard_errors: list[float] | None = None


class ShotsMeasured(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What one pub (or circuit) of a job measured; also the data of `canary.measured`.

    `reference` says against what it may be compared: `canary`, `frozen`, `prediction`, or null for
    nothing. `circuit` is the circuit identity, `parameters` a digest of the bound values, `part`
    the element of a parameter sweep. Exactly one of `outcomes`, `statistics`, `expectation` is set.
    `calibration` holds the values of the footprint on a canary's first execution and on each one after
    they changed (up to 64 qubits), else null.
    """

    job_id: Label
    backend: Label
    provider: Label | None = None
    footprint: Footprint | None = None
    pub: Count = 0
    part: Count = 0
    circuit: Label
    circuit_name: Label | None = None
    parameters: Label | None = None
    reference: Literal["canary", "frozen", "prediction"] | None = None
    registers: list[Register] = field(default_factory=list)
    shots: Count
    outcomes: Outcomes | None = None
    statistics: ShotStatistics | None = None
    expectation: Expectation | None = None
    cross_entropy_fidelity: float | None = None
    cross_entropy_variance: float | None = None
    calibration: list[CalibrationColumn] | None = None
