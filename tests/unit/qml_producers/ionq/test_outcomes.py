import numpy as np

from qml_producers.ionq.outcomes import packed
from quantum_mlops.events import Outcomes, ShotStatistics


def test_bit_0_is_the_rightmost_character():
    shots, outcomes = packed({"0000000001": 2, "1000000000": 1})

    assert shots == 3
    assert outcomes == Outcomes(bits=10, keys=b"\x00\x01\x02\x00", counts=[2, 1])


def test_many_wide_outcomes_become_statistics():
    rng = np.random.default_rng(3)
    counts = {"".join(map(str, row)): 1 for row in rng.integers(0, 2, (9000, 100))}

    shots, statistics = packed(counts)

    assert shots == 9000
    assert isinstance(statistics, ShotStatistics)
    assert statistics.ones[0] == sum(key[-1] == "1" for key in counts)
    top = statistics.top
    assert [top.keys[at : at + 13] for at in range(0, 64 * 13, 13)] == sorted(
        int(key, 2).to_bytes(13, "big") for key in sorted(counts)[:64]
    )
    assert statistics.ones[99] == sum(key[0] == "1" for key in counts)


def test_what_are_no_bits_is_not_packed():
    assert packed({}) is None
    assert packed({"": 5}) is None
    assert packed({"0x1": 5}) is None
    assert packed({"01": 1, "1": 1}) is None
