"""What the follower does not forget."""

import pytest

from qml_daemon.following.store import FollowerStore
from qml_producers.following.jobs import Jobs
from quantum_mlops.errors import LogError

KEY = ("iris", "j1")


@pytest.fixture
def jobs(room):
    found = Jobs(["ibm"])
    found.take(room.event("created"), 5)
    return found


def test_jobs_and_positions_come_back(tmp_path, jobs):
    store = FollowerStore(tmp_path / "f.sqlite")
    store.save(jobs, [KEY], {0: 7})
    store.close()
    again, found = FollowerStore(tmp_path / "f.sqlite"), Jobs(["ibm"])
    again.load(found)
    assert again.positions() == {0: 7}
    assert found.get(KEY) == jobs.get(KEY)
    again.close()


def test_what_is_over_is_remembered_and_then_not_even_that(tmp_path, jobs):
    store, found = FollowerStore(tmp_path / "f.sqlite"), Jobs(["ibm"])
    jobs.finish(KEY, 9)
    store.save(jobs, [KEY], {})
    store.load(found)
    assert (found.over, len(found)) == ({KEY: 9}, 0)
    del jobs.over[KEY]
    store.save(jobs, [KEY], {})
    found.over.clear()
    store.load(found)
    assert found.over == {}
    store.close()


def test_jobs_of_a_provider_that_is_followed_no_longer_stay_for_later(tmp_path, jobs):
    store, others = FollowerStore(tmp_path / "f.sqlite"), Jobs(["braket"])
    store.save(jobs, [KEY], {0: 1})
    store.load(others)
    assert len(others) == 0
    found = Jobs(["ibm"])
    store.load(found)
    assert len(found) == 1
    store.close()


def test_what_fails_half_way_leaves_nothing(tmp_path, jobs):
    store = FollowerStore(tmp_path / "f.sqlite")
    with pytest.raises(LogError, match="positions"):
        store.save(jobs, [KEY], {0: 1, 1: None})
    found = Jobs(["ibm"])
    store.load(found)
    assert (store.positions(), len(found)) == ({}, 0)
    store.save(jobs, [KEY], {0: 1})
    assert store.positions() == {0: 1}
    store.close()


def test_a_provider_that_comes_to_be_followed_has_the_log_read_anew_and_one_that_leaves_not(tmp_path, jobs):
    store, found = FollowerStore(tmp_path / "f.sqlite"), Jobs(["ibm"])
    store.settle(b"one", ["ibm", "ionq"])
    store.save(jobs, [KEY], {0: 4})
    store.settle(b"one", ["ibm"])
    assert store.positions() == {0: 4}
    store.settle(b"one", ["ibm", "ionq"])
    store.load(found)
    assert (store.positions(), len(found)) == ({}, 1)
    store.close()


def test_another_logs_jobs_are_forgotten(tmp_path, jobs):
    store, found = FollowerStore(tmp_path / "f.sqlite"), Jobs(["ibm"])
    store.settle(b"one", ["ibm"])
    store.save(jobs, [KEY], {0: 1})
    store.settle(None, ["ibm"])
    store.settle(b"one", ["ibm"])
    assert store.positions() == {0: 1}
    store.settle(b"two", ["ibm"])
    store.load(found)
    assert (store.positions(), len(found)) == ({}, 0)
    store.close()


def test_a_file_that_is_none_is_named(tmp_path):
    (tmp_path / "f.sqlite").write_bytes(b"no database at all, whatever its name says" * 9)
    with pytest.raises(LogError, match=r"f\.sqlite"):
        FollowerStore(tmp_path / "f.sqlite")
