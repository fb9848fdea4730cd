"""Distributions at an exact Hellinger distance, and samples of them as histograms."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from quantum_mlops.stats import Histogram

Vector = NDArray[np.float64]

# Four-qubit real_amplitudes with 3 repetitions under the noise of ibm_hanoi, from 1e6 shots of Aer.
HANOI_0123_BEFORE = (0.0403, 0.1082, 0.1067, 0.0523, 0.1579, 0.0143, 0.0197, 0.0056, 0.1768, 0.0209, 0.0088, 0.0446, 0.1928, 0.0202, 0.0082, 0.0229)  # fmt: skip
HANOI_0123_WORSE = (0.0487, 0.0978, 0.0951, 0.0522, 0.1479, 0.0227, 0.0243, 0.0170, 0.1547, 0.0287, 0.0197, 0.0434, 0.1724, 0.0289, 0.0161, 0.0304)  # fmt: skip
HANOI_QUIET_BEFORE = (0.0426, 0.1061, 0.1042, 0.0522, 0.1561, 0.0154, 0.0210, 0.0076, 0.1727, 0.0220, 0.0111, 0.0443, 0.1893, 0.0213, 0.0096, 0.0245)  # fmt: skip
HANOI_QUIET_AFTER = (0.0424, 0.1064, 0.1041, 0.0527, 0.1548, 0.0158, 0.0210, 0.0084, 0.1706, 0.0229, 0.0118, 0.0445, 0.1872, 0.0222, 0.0103, 0.0249)  # fmt: skip


def _normalised(values: tuple[float, ...]) -> Vector:
    return np.array(values) / sum(values)


@pytest.fixture
def hanoi() -> Mapping[str, Vector]:
    return {
        "before": _normalised(HANOI_0123_BEFORE),
        "worse": _normalised(HANOI_0123_WORSE),
        "quiet before": _normalised(HANOI_QUIET_BEFORE),
        "quiet after": _normalised(HANOI_QUIET_AFTER),
    }


@pytest.fixture
def bases(hanoi: Mapping[str, Vector]) -> Mapping[str, Vector]:
    geometric = 0.75 ** np.arange(16)
    ghz = np.array([0.47] + [0.06 / 14] * 14 + [0.47])
    return {"hanoi": hanoi["before"], "geometric": geometric / geometric.sum(), "ghz": ghz}


@pytest.fixture
def at_distance() -> Callable[[Vector, Vector, float], Vector]:
    """The distribution at Hellinger distance H from q, on the great circle of roots towards a direction."""

    def move(q: Vector, direction: Vector, distance: float) -> Vector:
        root = np.sqrt(q)
        tangent = direction - (direction @ root) * root
        tangent /= np.linalg.norm(tangent)
        angle = np.arccos(1 - distance**2)
        moved = np.cos(angle) * root + np.sin(angle) * tangent
        assert (moved >= 0).all()
        return moved**2

    return move


@pytest.fixture
def named() -> Callable[[Vector], dict[str, int]]:
    """Counts by bit string, as events carry them."""
    keys = [format(outcome, "04b") for outcome in range(16)]
    return lambda counts: {key: int(count) for key, count in zip(keys, counts, strict=True) if count}


@pytest.fixture
def pooled(named: Callable[[Vector], dict[str, int]]) -> Callable[[Vector], Histogram]:
    def build(counts: Vector) -> Histogram:
        histogram = Histogram()
        histogram.add(named(counts))
        return histogram

    return build
