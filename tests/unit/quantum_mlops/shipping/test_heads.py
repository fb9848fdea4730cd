"""Whose segments one process ships: its own, and those of the dead of this machine's boot."""

import subprocess
import sys
import time

import msgspec

from quantum_mlops.shipping.heads import ProcessSource, list_segments
from quantum_mlops.shipping.position import WriterLock
from quantum_mlops.spool.segment import SpoolClass, this_process
from quantum_mlops.spool.writer import SpoolWriter

OTHER = "aaaaaaaaaaaa"
HOLD = """
import sys
from pathlib import Path
from quantum_mlops.shipping.position import WriterLock
lock = WriterLock(Path(sys.argv[1]), sys.argv[2], create=True)
print(lock.held, flush=True)
sys.stdin.readline()
"""


def write(folder, nonce, **changed):
    writer = SpoolWriter(folder, msgspec.structs.replace(this_process(nonce, "0"), **changed))
    writer.write(SpoolClass.BULK, [b"\xc0"], time.time_ns())
    return writer


def test_own_segments_are_first_and_final_when_the_writer_went_on_or_ended(folder):
    writer = write(folder, OTHER)
    writer.close()
    writer.write(SpoolClass.BULK, [b"\xc0"], 1)
    source = ProcessSource(folder, OTHER)
    (head,) = source.own()
    assert (head.name.number, head.final) == (0, True)
    head.path.unlink()
    (head,) = source.own()
    assert (head.name.number, head.final) == (1, False)
    source.ended = True
    assert source.own()[0].final
    source.close()
    writer.close()


def test_a_folder_that_is_not_there_and_foreign_files_are_nothing(folder):
    assert list(list_segments(folder)) == []
    folder.mkdir()
    (folder / "notes.txt").write_text("x")
    (folder / f"{OTHER}-bulk-00000000.qseg").symlink_to("/etc/passwd")
    (folder / f"{OTHER}-bulk-00000001.qseg").mkdir()
    assert list(list_segments(folder)) == []


def test_the_living_are_left_alone_and_the_dead_adopted(folder):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, folder, OTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "True\n"
        write(folder, OTHER).abandon()
        source = ProcessSource(folder, "bbbbbbbbbbbb")
        assert source.own() == []
        assert source.adopted() == []
        other.kill()
    (head,) = source.adopted()
    assert (head.name.nonce, head.final) == (OTHER, True)
    assert source.own() == []
    head.path.unlink()
    assert source.adopted() == []
    assert not (folder / ".shipping" / f"{OTHER}.lock").exists()
    source.ended = True
    source.close()
    assert list((folder / ".shipping").iterdir()) == []


def test_two_do_not_adopt_the_same(folder):
    WriterLock(folder, OTHER, create=True).release()
    write(folder, OTHER).abandon()
    one, two = ProcessSource(folder, "bbbbbbbbbbbb"), ProcessSource(folder, "cccccccccccc")
    assert len(one.adopted()) == 1
    assert two.adopted() == []
    one.close()
    assert len(two.adopted()) == 1
    two.close()


def test_another_machines_or_boots_or_a_plain_spools_segments_are_not_adopted(folder):
    write(folder, "00000000000a", host="elsewhere").abandon()
    write(folder, "00000000000b", boot_id="before").abandon()
    write(folder, "00000000000c", boot_id="").abandon()
    write(folder, "00000000000d").abandon()  # without a lock: it is not known to ship itself
    for nonce in ("00000000000a", "00000000000b", "00000000000c"):
        WriterLock(folder, nonce, create=True).release()
    source = ProcessSource(folder, OTHER)
    assert source.adopted() == []
    source.close()


def test_an_unfinished_process_leaves_its_lock_file_for_whoever_adopts_it(folder):
    writer = write(folder, OTHER)
    source = ProcessSource(folder, OTHER)
    source.ended = True
    source.close()
    assert (folder / ".shipping" / f"{OTHER}.lock").exists()
    writer.abandon()
