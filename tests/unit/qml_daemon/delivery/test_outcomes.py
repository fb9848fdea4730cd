"""What became of deliveries is counted by the receiver's kind, from 0 on."""

from quantum_mlops.errors import PermanentError, RetryableError


def test_deliveries_are_counted_by_kind_and_outcome(make_bench):
    bench = make_bench(group_wait="0s", group_interval="1s")
    assert bench.outbox.stats().kinds == {"fake": {"sent": 0, "failed": 0, "retried": 0}}
    bench.notifier.errors = [RetryableError("busy"), PermanentError("gone")]
    bench.find("opened", "f1")
    bench.step()
    assert bench.outbox.stats().kinds == {"fake": {"sent": 0, "failed": 0, "retried": 1}}
    bench.step(3600)
    assert bench.outbox.stats().kinds == {"fake": {"sent": 0, "failed": 1, "retried": 1}}
    bench.find("opened", "f2", labels={"backend": "other_one"})
    bench.step(3600)
    bench.step(3600)
    found = bench.outbox.stats()
    assert found.kinds["fake"] == {"sent": found.sent, "failed": found.failed, "retried": found.retried}
    assert found.sent == 1


def test_the_counts_given_out_are_a_copy(make_bench):
    bench = make_bench()
    bench.outbox.stats().kinds["fake"]["sent"] = 9
    assert bench.outbox.stats().kinds["fake"]["sent"] == 0
