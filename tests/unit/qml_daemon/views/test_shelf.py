"""The rows in memory: those in use stay, those that nobody asks for leave, and none is ever lost."""

import pytest

from qml_daemon.views.runs import RunRow
from qml_daemon.views.schema import Table, connect_writer, create
from qml_daemon.views.shelf import GENERATION, Shelf


@pytest.fixture
def shelf(tmp_path):
    connection = connect_writer(tmp_path / "views.sqlite")
    create(connection)
    yield Shelf(connection, Table("runs", ("status",), 100_000, 20), RunRow)
    connection.close()


def key(number):
    return ("iris", f"run-{number}")


def add(shelf, number):
    shelf.add(key(number), RunRow(*key(number), seen=number, changed=number))


def held(shelf):
    return len(shelf._entries) + len(shelf._older)


def test_no_more_rows_are_held_than_the_table_allows_and_none_is_lost(shelf):
    for number in range(200):
        add(shelf, number)
        shelf.flush()
        assert held(shelf) <= 22
    for number in range(200):
        assert shelf.find(key(number)).seen == number
        shelf.flush()


def test_what_nobody_asks_for_leaves_and_what_is_in_use_is_the_same_row(shelf):
    add(shelf, 0)
    add(shelf, 1)
    row = shelf.find(key(0))
    for _ in range(3 * GENERATION):
        assert shelf.find(key(0)) is row
        shelf.flush()
    assert held(shelf) == 1
    assert shelf.find(key(1)).seen == 1
