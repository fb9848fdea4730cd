from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit.primitives import BitArray, DataBin
from qiskit.primitives.containers import SamplerPubResult

from qml_producers.observing.outcomes import join_registers, pack, pool
from quantum_mlops.codec import encode_data
from quantum_mlops.events import Outcomes, ShotsMeasured, ShotStatistics


def unpacked(outcomes):
    width = (outcomes.bits + 7) // 8
    keys = [int.from_bytes(outcomes.keys[i * width : (i + 1) * width]) for i in range(len(outcomes.counts))]
    return dict(zip(keys, outcomes.counts, strict=True))


samples = st.integers(1, 130).flatmap(
    lambda bits: st.tuples(st.just(bits), st.lists(st.integers(0, 2**bits - 1), min_size=1, max_size=40))
)


@given(samples)
def test_outcomes_are_those_of_qiskit_with_ascending_keys(sample):
    bits, values = sample
    array = BitArray.from_samples([f"{value:0{bits}b}" for value in values], bits)
    packed = pack(array.array, bits)
    assert isinstance(packed, Outcomes)
    assert unpacked(packed) == array.get_int_counts()
    assert list(unpacked(packed)) == sorted(unpacked(packed))
    assert len(packed.keys) == len(packed.counts) * ((bits + 7) // 8)


@given(st.lists(st.integers(1, 20), min_size=2, max_size=4), st.integers(0, 2**32))
def test_registers_join_as_in_qiskit_the_first_one_lowest(sizes, seed):
    rng = np.random.default_rng(seed)
    arrays = [BitArray.from_bool_array(rng.random((30, size)) < 0.5) for size in sizes]
    data = DataBin(**{f"r{i}": array for i, array in enumerate(arrays)}, shape=())
    rows, bits = join_registers([(array.array, array.num_bits) for array in arrays])
    assert bits == sum(sizes)
    assert unpacked(pack(rows, bits)) == SamplerPubResult(data).join_data().get_int_counts()


@given(samples)
def test_statistics_count_bits_neighbours_and_the_most_frequent(sample):
    bits, values = sample
    rows = BitArray.from_samples([f"{value:0{bits}b}" for value in values], bits).array
    found = pool(rows, bits)
    assert found.ones == [sum(value >> i & 1 for value in values) for i in range(bits)]
    assert found.parities == [sum((value >> i ^ value >> i + 1) & 1 for value in values) for i in range(bits - 1)]
    assert sum(found.top.counts) + found.rest == len(values)
    counts = {value: values.count(value) for value in values}
    assert unpacked(found.top) == dict(sorted(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:64]))


@pytest.mark.parametrize(("bits", "shots"), [(20, 20_000), (127, 10_000), (4000, 500)])
def test_what_does_not_fit_becomes_statistics_that_do(bits, shots):
    rows = np.random.default_rng(1).integers(0, 256, (shots, (bits + 7) // 8), dtype=np.uint8)
    rows[:, 0] &= (1 << (bits % 8 or 8)) - 1
    packed = pack(rows, bits)
    assert isinstance(packed, ShotStatistics)
    assert len(packed.top.counts) == 64
    assert packed.rest + sum(packed.top.counts) == shots
    event = ShotsMeasured(job_id="j", backend="b", circuit="c", shots=shots, statistics=packed)
    assert len(encode_data(event)) < 60 * 1024


def test_outcomes_just_small_enough_fit_an_event():
    rows = np.arange(2**16, dtype=">u2").view(np.uint8).reshape(-1, 2)
    least = next(n for n in range(1000, 2**16, 50) if isinstance(pack(rows[:n], 16), ShotStatistics)) - 50
    event = ShotsMeasured(job_id="j", backend="b", circuit="c", shots=least, outcomes=pack(rows[:least], 16))
    assert len(encode_data(event)) < 60 * 1024


def test_no_bits_and_no_shots_are_counted_too():
    assert pack(np.zeros((5, 0), np.uint8), 0) == Outcomes(bits=0, keys=b"", counts=[5])
    assert pack(np.zeros((0, 1), np.uint8), 3) == Outcomes(bits=3, keys=b"", counts=[])


def plain(rows, bits):
    """The statistics by counting one row after the other."""
    counted = Counter(int.from_bytes(row.tobytes(), "big") for row in rows)
    top = sorted(sorted(counted, key=lambda key: (-counted[key], key))[:64])
    width = rows.shape[1]
    return ShotStatistics(
        bits=bits,
        ones=[sum(count for key, count in counted.items() if key >> bit & 1) for bit in range(bits)],
        parities=[
            sum(count for key, count in counted.items() if (key >> bit ^ key >> bit + 1) & 1) for bit in range(bits - 1)
        ],
        top=Outcomes(
            bits=bits, keys=b"".join(key.to_bytes(width, "big") for key in top), counts=[counted[key] for key in top]
        ),
        rest=counted.total() - sum(counted[key] for key in top),
    )


@given(st.integers(1, 200), st.integers(0, 300), st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_statistics_are_those_of_plain_counting_however_wide(bits, shots, distinct, seed):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 256, (distinct, (bits + 7) // 8)).astype(np.uint8)[rng.integers(0, distinct, shots)]
    if bits % 8:
        rows[:, 0] &= (1 << bits % 8) - 1
    assert pool(rows, bits) == plain(rows, bits)


def test_wide_rows_that_share_a_hash_are_told_apart():
    factor = 0x9E3779B97F4A7C15
    rows = np.array([[factor, 0], [0, 1], [factor, 0], [7, 7]], np.uint64).view(
        np.uint8
    )  # factor·factor + 0 = 0 + 1·factor²
    assert pool(rows, 128) == plain(rows, 128)
    assert sorted(pack(rows, 128).counts) == [1, 1, 2]
