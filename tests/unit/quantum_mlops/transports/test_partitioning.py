import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantum_mlops.transports.partitioning import murmur2, partition_of


# org.apache.kafka.common.utils.UtilsTest.testMurmur2
@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_the_hash_is_kafkas(key, hashed):
    assert murmur2(key.encode()) == hashed % 2**32


@given(st.text(), st.integers(1, 64))
def test_every_key_has_one_partition_within_range(key, partitions):
    assert 0 <= partition_of(key, partitions) < partitions
    assert partition_of(key, partitions) == (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def test_a_key_with_a_lone_surrogate_still_has_a_partition():
    assert partition_of("\ud800", 3) in range(3)


def test_keys_spread_over_the_partitions():
    counts = [0] * 4
    for number in range(4000):
        counts[partition_of(f"project-{number}", 4)] += 1
    assert min(counts) > 900
