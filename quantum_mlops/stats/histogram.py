"""Counts of outcomes: the pooled reference, its pairing with an observation, and two-sample chi-square statistics.

Plug-in distances between two measured histograms are biased by shot noise, and a reference measured with shots must
not be treated as exact. So both samples are cut into the same cells, chosen from the reference alone, and compared by
a statistic whose distribution is known. Two are given: Pearson's for "no change at all", and the variance-stabilised
one for "no change beyond a minimum effect" (see `homogeneity` for why).
"""

import math
from bisect import bisect_left
from collections.abc import Mapping

import msgspec

MIN_EXPECTED = 5.0
"""Least expected count of a cell of its own (Cochran 1954, Biometrics 10:417)."""

LARGEST_WHEN_TRUNCATED = 32
"""How many outcomes may keep a cell if either side reports some outcomes only as a rest."""

MOST_OUTCOMES = 1024
"""How many outcomes a pool tells apart; it bounds the state of wide circuits."""


class Histogram(msgspec.Struct, gc=False):
    """Pooled counts, sorted by outcome, so that its encoding does not depend on the order of arrival in a mapping.

    Attributes:
        outcomes: Outcome keys, ascending.
        counts: Counts, one for each outcome.
        rest: Counts of outcomes that were reported without their key, or that came when the pool was full.
        shots: All counts together.
        samples: How many observations were pooled.
    """

    outcomes: list[str] = msgspec.field(default_factory=list)
    counts: list[int] = msgspec.field(default_factory=list)
    rest: int = 0
    shots: int = 0
    samples: int = 0

    def add(self, counts: Mapping[str, int], rest: int = 0) -> None:
        """Pool one more observation; the order of `counts` does not matter.

        Once `MOST_OUTCOMES` are told apart, counts of further outcomes join the rest.

        Raises:
            ValueError: If a count is negative. Nothing was pooled then.

        Examples:
            >>> pool = Histogram()
            >>> pool.add({"11": 3, "00": 5})
            >>> pool.add({"01": 1, "11": 2}, rest=4)
            >>> pool.outcomes, pool.counts, pool.rest, pool.shots, pool.samples
            (['00', '01', '11'], [5, 1, 5], 4, 15, 2)
        """
        if rest < 0 or min(counts.values(), default=0) < 0:
            msg = f"counts must not be negative, got {dict(counts)!r} and a rest of {rest!r}"
            raise ValueError(msg)
        ordered = sorted(counts.items())
        if [outcome for outcome, _ in ordered] == self.outcomes:  # nearly always: no search then
            self.counts = [pooled + count for pooled, (_, count) in zip(self.counts, ordered, strict=True)]
            self.shots += sum(counts.values())
            ordered = []
        for outcome, count in ordered:
            index = bisect_left(self.outcomes, outcome)
            if index < len(self.outcomes) and self.outcomes[index] == outcome:
                self.counts[index] += count
            elif len(self.outcomes) < MOST_OUTCOMES:
                self.outcomes.insert(index, outcome)
                self.counts.insert(index, count)
            else:
                self.rest += count
            self.shots += count
        self.rest += rest
        self.shots += rest
        self.samples += 1


class Cells(msgspec.Struct, frozen=True, gc=False):
    """Two samples cut into the same cells; the last cell holds all outcomes that have no cell of their own.

    Attributes:
        observed: Counts of the observation.
        reference: Counts of the reference, cell by cell the same.
        shots: Total of the observation.
        reference_shots: Total of the reference.
    """

    observed: list[int]
    reference: list[int]
    shots: int
    reference_shots: int

    @property
    def df(self) -> int:
        """Degrees of freedom: cells less one. At 0 nothing can be compared."""
        return len(self.reference) - 1

    @property
    def effective_shots(self) -> float:
        """N m / (n + m): the shots that, against an exact reference, would give the same noise."""
        return self.shots * self.reference_shots / (self.shots + self.reference_shots)


def pair(reference: Histogram, observed: Mapping[str, int], rest: int = 0) -> Cells:
    """Cut an observation and the reference into the same cells.

    An outcome has a cell of its own if its expected count, by the reference, is at least `MIN_EXPECTED` in the smaller
    of the two samples; all others share the last cell, which is always there. The choice looks at the reference and at
    totals, never at the observed outcomes: cells chosen from the observation would make the degrees of freedom, and so
    the null distribution, depend on what is tested. Merging never increases a Hellinger distance (data processing), so
    a null of "at most H0" stays true for the cells. The last cell may expect less than 5; it stays, because that is
    where an outcome appears that the reference never gave.

    Where outcomes were cut off (a rest on either side), only the `LARGEST_WHEN_TRUNCATED` most probable outcomes keep
    a cell: one that is missing from a list of the most frequent is not known to be absent.

    Raises:
        ValueError: If either side has no shots or an observed count is negative.

    Examples:
        >>> pool = Histogram()
        >>> pool.add({"00": 500, "11": 490, "01": 7, "10": 3})
        >>> cells = pair(pool, {"11": 480, "00": 495, "10": 25})
        >>> cells.observed, cells.reference, cells.df
        ([495, 0, 480, 25], [500, 7, 490, 3], 3)
    """
    shots = sum(observed.values()) + rest
    if shots < 1 or reference.shots < 1:
        msg = f"both samples need shots, got {shots} observed and {reference.shots} in the reference"
        raise ValueError(msg)
    if rest < 0 or min(observed.values(), default=0) < 0:
        msg = f"counts must not be negative, got {dict(observed)!r} and a rest of {rest!r}"
        raise ValueError(msg)
    least = MIN_EXPECTED * reference.shots / min(shots, reference.shots)
    kept = [
        (outcome, count) for outcome, count in zip(reference.outcomes, reference.counts, strict=True) if count >= least
    ]
    if (rest or reference.rest) and len(kept) > LARGEST_WHEN_TRUNCATED:
        kept = sorted(sorted(kept, key=lambda cell: (-cell[1], cell[0]))[:LARGEST_WHEN_TRUNCATED])
    left = [observed.get(outcome, 0) for outcome, _ in kept]
    right = [count for _, count in kept]
    left.append(shots - sum(left))
    right.append(reference.shots - sum(right))
    return Cells(left, right, shots, reference.shots)


def divergence(cells: Cells) -> float:
    """Squared Hellinger distance of the two samples as measured: half the squared distance of their roots.

    Each root is that of (count + 1/4), whose mean is nearest to the root of the expected count and whose variance is
    1/4 already at small counts (Brown, Cai & Zhou 2010, Annals of Statistics 38:2005). Not yet freed of the shot
    noise it contains, which is `df / (8 * effective_shots)` in the mean.

    Examples:
        >>> round(divergence(Cells([600, 400], [500, 500], 1000, 1000)), 5)
        0.00506
    """
    shots, reference_shots = cells.shots, cells.reference_shots
    scale = 1 / (shots * reference_shots)
    # The square multiplied out: one root a cell instead of two.
    overlap = sum(
        map(math.sqrt, [(x + 0.25) * (y + 0.25) * scale for x, y in zip(cells.observed, cells.reference, strict=True)])
    )
    quarters = len(cells.observed) / 4
    squares = (sum(cells.observed) + quarters) / shots + (sum(cells.reference) + quarters) / reference_shots
    return max(0.0, squares / 2 - overlap)


def homogeneity(cells: Cells) -> float:
    """Two-sample chi-square statistic in variance-stabilised form: `8 * effective_shots * divergence`.

    The Freeman-Tukey member of the power-divergence family (Freeman & Tukey 1950; Cressie & Read 1984, J. Royal Stat.
    Soc. B 46:440). For two distributions at Hellinger distance H it is close to noncentral chi-square with `cells.df`
    and noncentrality `8 * effective_shots * H^2`, in whichever direction they differ. Pearson's statistic is not:
    where a rare outcome becomes frequent its noncentrality is several times as large, so that under a null of "at
    most H0" it would raise false alarms without bound.

    Examples:
        >>> cells = Cells([600, 400], [500, 500], 1000, 1000)
        >>> round(homogeneity(cells), 2)
        20.25
    """
    return 8 * cells.effective_shots * divergence(cells)


def chi_square(cells: Cells) -> tuple[float, int]:
    """Pearson's two-sample chi-square statistic of homogeneity, for the null that nothing changed at all.

    Returns:
        The statistic and its degrees of freedom; a last cell that is empty on both sides does not count.

    Examples:
        >>> value, df = chi_square(Cells([600, 400, 0], [500, 500, 0], 1000, 1000))
        >>> round(value, 2), df
        (20.2, 1)
    """
    total, df = 0.0, -1
    scale = 1 / cells.shots + 1 / cells.reference_shots
    everything = cells.shots + cells.reference_shots
    for x, y in zip(cells.observed, cells.reference, strict=True):
        if x + y:
            df += 1
            difference = x / cells.shots - y / cells.reference_shots
            total += difference * difference * everything / (x + y)
    return total / scale, max(df, 0)
