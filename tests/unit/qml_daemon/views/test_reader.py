"""Pages: no row twice, none missed, whatever is inserted or changed between them."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qml_daemon.views.reader import Place, ViewReader, Window
from qml_daemon.views.schema import JOBS, connect_reader
from quantum_mlops.clock import SECOND
from quantum_mlops.errors import LogError
from quantum_mlops.events import Job

steps = st.lists(
    st.tuples(st.sampled_from(["job.created", "job.completed"]), st.integers(0, 30), st.sampled_from([None, "a", "b"]))
    | st.sampled_from(["page", "later"]),
    max_size=40,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=steps, between=steps, limit=st.integers(1, 5), backend=st.sampled_from([None, "a"]))
def test_pages_hold_every_row_that_was_there_once_while_others_come(
    make_watched, before, between, limit, backend
) -> None:
    watched = make_watched()

    def do(step: object) -> None:
        if step == "later":
            watched.clock.advance_seconds(1)
        elif isinstance(step, tuple):
            # A job keeps its backend, so that it keeps its place in a list by backend.
            watched.emit(step[0], Job(job_id=f"j{step[1]}", backend=("a", "b")[step[1] % 2]))
            watched.show()

    for step in before:
        do(step)
    filters = {} if backend is None else {"backend": backend}
    reader = ViewReader(watched.path)
    there = [place for place, _ in reader.page(JOBS, filters, Window(limit=1000))]
    seen: list[Place] = []
    rest = iter(between)
    place: Place | None = None
    while page := reader.page(JOBS, filters, Window(place=place, limit=limit)):
        seen += [at for at, _ in page]
        place = page[-1][0]
        for step in rest:
            if step == "page":
                break
            do(step)
    reader.close()
    assert len(set(seen)) == len(seen)
    assert [(at.seen, at.seq) for at in seen] == sorted(((at.seen, at.seq) for at in seen), reverse=True)
    assert set(there) <= set(seen)
    watched.close()


def test_since_and_until_bound_by_the_first_time_of_a_row(watched) -> None:
    for number in range(5):
        watched.emit("job.created", Job(job_id=f"j{number}"))
        watched.clock.advance_seconds(1)
    watched.show()
    reader = ViewReader(watched.path)
    start = watched.clock() - 5 * SECOND
    rows = reader.page(JOBS, {}, Window(since=start + SECOND, until=start + 3 * SECOND))
    assert [place.seq for place, _ in rows] == [3, 2]
    assert reader.page(JOBS, {}, Window(since=10**30)) == []
    reader.close()


@pytest.mark.parametrize("filters", [{}, {"project": "p"}, {"backend": "b"}, {"status": "failed"}, {"run": "r"}])
def test_each_single_filter_is_answered_from_an_index_in_order(watched, filters) -> None:
    where = " AND ".join([*(f"{name} = 'x'" for name in filters), "(seen, seq) < (9, 9)"])
    connection = connect_reader(watched.path)
    sql = f"EXPLAIN QUERY PLAN SELECT seen, seq, body FROM jobs WHERE {where} ORDER BY seen DESC, seq DESC LIMIT 5"  # noqa: S608 - our names
    plan = [row[3] for row in connection.execute(sql)]
    connection.close()
    assert len(plan) == 1
    assert "USING INDEX jobs_" in plan[0]


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({"project": "p", "status": "failed"}, "jobs_status"),
        ({"backend": "b", "status": "failed"}, "jobs_status"),
        ({"backend": "b", "status": "completed"}, "jobs_backend"),
        ({"backend": "b", "project": "p"}, "jobs_project_backend"),
        ({"run": "r", "status": "failed", "project": "p"}, "jobs_run"),
    ],
)
def test_of_several_filters_the_one_that_finds_fewest_rows_leads(watched, monkeypatch, filters, index) -> None:
    plans: list[str] = []
    connect = connect_reader

    def explain(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        other = connect(path)

        def look(sql: str) -> None:
            if sql.startswith("SELECT seen"):
                plans.extend(row[3] for row in other.execute(f"EXPLAIN QUERY PLAN {sql}"))

        connection.set_trace_callback(look)
        return connection

    monkeypatch.setattr("qml_daemon.views.reader.connect_reader", explain)
    reader = ViewReader(watched.path)
    reader.page(JOBS, filters, Window(place=Place(5, 5)))
    reader.close()
    assert len(plans) == 1
    assert f"USING INDEX {index} (" in plans[0]


def test_views_that_are_not_there_or_closed_are_a_clear_error(tmp_path, watched) -> None:
    with pytest.raises(LogError, match="cannot open"):
        ViewReader(tmp_path / "none.sqlite")
    reader = ViewReader(watched.path)
    reader.close()
    with pytest.raises(LogError, match="closed"):
        reader.find(JOBS, "j", None)
