import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantum_mlops.spool.frame import MAX_PAYLOAD_BYTES, Kind, find_frame, pack_frame, read_frame, seed_of

SEED = seed_of("0123456789ab")


@given(st.binary(max_size=200), st.integers(0, 2**32 - 1), st.sampled_from(Kind), st.binary(max_size=9))
def test_a_frame_is_read_as_it_was_packed_wherever_it_stands(payload, records, kind, before):
    data = before + pack_frame(SEED, kind, payload, records) + b"more"
    frame = read_frame(SEED, data, len(before))
    assert (frame.kind, frame.records, frame.payload, frame.end) == (kind, records, payload, len(data) - 4)


@given(st.binary(max_size=60), st.data())
def test_no_changed_byte_goes_unnoticed(payload, data):
    frame = bytearray(pack_frame(SEED, Kind.RECORDS, payload, 3))
    place = data.draw(st.integers(0, len(frame) - 1))
    frame[place] ^= data.draw(st.integers(1, 255))
    assert read_frame(SEED, bytes(frame), 0) is None


@given(st.binary(max_size=60), st.integers(0, 75))
def test_a_cut_frame_is_none(payload, keep):
    frame = pack_frame(SEED, Kind.RECORDS, payload, 1)
    if keep < len(frame):
        assert read_frame(SEED, frame[:keep], 0) is None


def test_another_process_s_frame_inside_the_data_is_not_found():
    forged = pack_frame(seed_of("ba9876543210"), Kind.RECORDS, b"\x90")
    honest = pack_frame(SEED, Kind.RECORDS, b"\x90")
    assert find_frame(SEED, b"QSQQS" + forged + honest, 0) == 5 + len(forged)
    assert find_frame(SEED, forged * 3, 0) is None


def test_a_frame_over_the_limit_is_refused_when_packed_and_when_read():
    with pytest.raises(ValueError, match="at most 4194304 bytes"):
        pack_frame(SEED, Kind.RECORDS, bytes(MAX_PAYLOAD_BYTES + 1))
    claim = b"QS\x01\x01" + (MAX_PAYLOAD_BYTES + 1).to_bytes(4, "little") + bytes(8)
    assert read_frame(SEED, claim + bytes(64), 0) is None
