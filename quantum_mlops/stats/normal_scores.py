"""Normal scores against a frozen reference: what makes a heavy-tailed stream fit for a chart.

Costs and queue times have tails that no mean and standard deviation describe. The rank of a value among m reference
values is distribution-free; its normal score goes into the chart instead of the value.

Source: Conover, Tercero-Gomez, Cordero-Franco (2017), "The sequential normal scores transformation", Sequential
Analysis 36:397.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from statistics import NormalDist

_STANDARD = NormalDist()


def rank_score(reference: Sequence[float], value: float) -> float:
    """Return the normal score of `value` among `reference`, which is sorted in ascending order.

    z = Phi^-1((r + 1/2) / (m + 1)), with r the mean of how many values are below and how many are not above. If the
    value is drawn as the reference was, z is close to N(0, 1) whatever the distribution; over a reference that grows
    by each value after it was scored, the scores of different values are independent. A value that equals every
    reference value scores 0. |z| is at most Phi^-1(1 - 1/(2(m + 1))), 3.09 for m = 500: one value alone, however
    large, cannot carry a chart over a limit such as 7.4; that is the work of a rule for single values.

    Raises:
        ValueError: the reference is empty.

    Examples:
        >>> costs = [1.0, 1.0, 2.0, 5.0, 90.0]
        >>> round(rank_score(costs, 2.0), 3), round(rank_score(costs, 1e9), 3), rank_score([3.0] * 9, 3.0)
        (0.0, 1.383, 0.0)

    """
    size = len(reference)
    if not size:
        raise ValueError("a score needs at least one reference value")
    rank = (bisect_left(reference, value) + bisect_right(reference, value)) / 2
    return _STANDARD.inv_cdf((rank + 0.5) / (size + 1))
