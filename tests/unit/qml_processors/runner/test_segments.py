import random

from qml_processors.runner import segments
from qml_processors.runner.duplicates import CountedSource
from qml_processors.runner.segments import Segments


def entries(count):
    return [CountedSource(("iris", str(number))) for number in range(count)]


def test_a_segment_goes_when_nothing_in_it_is_live_and_all_older_ones_are_gone():
    table, (a, b, c) = Segments(), entries(3)
    assert [table.add([a, b]), table.add([c]), table.add([c])] == [0, 1, 2]
    assert table.retire() == []  # 1 hides nothing and is empty, but 0 is older and live
    table.add([a])
    assert table.retire() == []
    table.drop(b)
    assert table.retire() == [0, 1]
    assert (a.segment, b.segment, c.segment) == (3, -1, 2)


def test_the_oldest_segment_is_worn_where_too_many_rows_are_hidden(monkeypatch):
    monkeypatch.setattr(segments, "SPARE_ROWS", 2)
    table, (a, b, c) = Segments(), entries(3)
    table.add([a, b, c])
    while not table.worn():
        table.add([c])
    b.since = 7  # dirty: its own turn comes
    assert table.worn() == [a]
    table.add([a])
    assert table.retire() == []
    table.add([b])
    assert table.retire()[0] == 0


def test_random_writes_keep_the_newest_row_of_every_entry_and_bounded_rows(monkeypatch):
    monkeypatch.setattr(segments, "SPARE_ROWS", 10)
    rng = random.Random(1)
    table, all_of_them, stored = Segments(), entries(40), {}
    expected = {}
    for version in range(2000):
        written = rng.sample(all_of_them, rng.randrange(1, 5))
        for entry in written:
            expected[entry.key] = version
        written += [entry for entry in table.worn() if entry not in written]
        number = table.add(written)
        stored[number] = {entry.key: expected[entry.key] for entry in written}
        for gone in table.retire():
            del stored[gone]
        assert sum(len(rows) for rows in stored.values()) <= 2 * 40 + 10 + 50
    loaded = {}
    for number in sorted(stored):
        loaded |= stored[number]
    assert loaded == expected


def test_restored_segments_go_on_as_they_were():
    table, (a, b) = Segments(), entries(2)
    table.restore(4, 3)
    table.restore(7, 1)
    table.keep(4, a)
    table.keep(7, b)
    assert table.all_clean() == [a, b]
    assert table.add([a]) == 8
    assert table.retire() == [4]
