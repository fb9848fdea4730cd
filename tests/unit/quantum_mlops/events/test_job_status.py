import itertools

from quantum_mlops.events import SHORT_NAMES, type_name
from quantum_mlops.events.job_status import STATUS_RANKS, STATUSES, TERMINAL_STATUSES, higher_status, job_status


def test_every_job_type_but_the_bill_tells_a_status():
    told = {short: job_status(type_name(short)) for short in SHORT_NAMES}
    assert {status for status in told.values() if status} == set(STATUSES)
    assert {short for short, status in told.items() if short.startswith("job.") and status is None} == {"job.billed"}
    assert not any(status for short, status in told.items() if not short.startswith("job."))


def test_ranks_are_distinct_and_ends_rank_above_all_that_may_go_on():
    assert len(set(STATUS_RANKS.values())) == len(STATUS_RANKS)
    last = max(rank for status, rank in STATUS_RANKS.items() if status not in TERMINAL_STATUSES)
    assert all(STATUS_RANKS[status] > last for status in TERMINAL_STATUSES)


def test_the_higher_status_does_not_depend_on_the_order():
    for several in itertools.permutations([None, "queued", "cancelled", "failed"]):
        status = None
        for one in several:
            status = higher_status(status, one)
        assert status == "failed"
