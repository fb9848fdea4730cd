import pytest

from quantum_mlops.events import SHORT_NAMES, type_name
from quantum_mlops.spool.segment import SegmentName, SpoolClass, class_of, parse_name, this_process


def test_a_name_is_parsed_as_it_was_made():
    name = SegmentName("0123456789ab", SpoolClass.LIFECYCLE, 7)
    assert str(name) == "0123456789ab-lifecycle-00000007.qseg"
    assert parse_name(str(name)) == name


@pytest.mark.parametrize(
    "name", ["", "x.qseg", "0123456789AB-bulk-00000001.qseg", "0123456789ab-other-00000001.qseg",
             "0123456789ab-bulk-1.qseg", "0123456789ab-bulk-00000001.qseg.tmp", "a0123456789ab-bulk-00000001.qseg"]
)  # fmt: skip
def test_other_files_in_the_folder_are_no_segments(name):
    assert parse_name(name) is None


def test_only_metrics_and_shots_are_bulk():
    bulk = {short for short in SHORT_NAMES if class_of(type_name(short)) is SpoolClass.BULK}
    assert bulk == {"metric.logged", "shots.measured"}


def test_this_process_says_how_to_tell_whether_it_lives():
    me = this_process("0123456789ab", "0.1.0")
    assert me.pid > 0
    assert len(me.boot_id) == 36
    assert me.pid_namespace.startswith("pid:[")
