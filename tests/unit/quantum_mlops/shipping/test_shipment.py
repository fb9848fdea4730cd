"""A shipment against a real server: nothing lost, nothing removed before it is acknowledged."""

import json

import pytest

from quantum_mlops.errors import PermanentError, RetryableError
from quantum_mlops.shipping.position import SHIPPING
from quantum_mlops.shipping.rejects import FILE
from quantum_mlops.shipping.shipment import MAX_BATCH_EVENTS
from quantum_mlops.spool.reader import read_folder
from quantum_mlops.spool.segment import SpoolClass
from tests.service import CUT_AFTER, CUT_BEFORE, Answer


def numbers(count):
    return [float(number) for number in range(count)]


def rejects(folder):
    path = folder / SHIPPING / FILE
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_all_events_arrive_once_with_ids_of_their_own_and_stay_until_the_segment_ends(trainer, start, service, folder):
    trainer.write(300)
    one = start()
    assert one.run() == 1
    assert service.values("n") == numbers(300)
    assert set(service.copies.values()) == {1}
    assert set(service.events) == {event.key for event in read_folder(folder)}
    trainer.write(200)
    one.run()
    assert service.values("n") == numbers(500)
    assert len(list(folder.glob("*.qseg"))) == 1
    trainer.close()
    one.source.ended = True
    one.run()
    assert list(folder.glob("*.qseg")) == []
    assert one.shipment.counts.acknowledged == 500
    assert one.shipment.counts.removed == 1
    assert not list((folder / SHIPPING).glob("*.position"))


def test_the_wire_is_a_gzipped_batch_with_the_token_to_the_events_door(trainer, start, service):
    service.token = "open-sesame"  # noqa: S105 - made up
    trainer.write(50)
    start(environ={"QML_TOKEN": "open-sesame"}).run()
    path, headers = service.requests[0]
    assert path == "/api/v1/events"
    assert headers["Content-Type"] == "application/cloudevents-batch+json"
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Authorization"] == "Bearer open-sesame"
    assert len(service.events) == 50


@pytest.mark.parametrize("plan", [CUT_BEFORE, Answer(503, headers={"Retry-After": "9"}), Answer(429), Answer(500)])
def test_what_was_not_taken_is_sent_again_from_the_same_place(trainer, start, service, folder, plan):
    trainer.write(100)
    service.plan.extend([plan])
    one = start()
    with pytest.raises(RetryableError):
        one.run()
    assert service.events == {}
    assert one.shipment.counts.acknowledged == 0
    one.run()
    assert service.values("n") == numbers(100)
    assert set(service.copies.values()) == {1}


def test_an_answer_lost_after_the_commit_costs_a_second_copy_and_no_event(trainer, start, service):
    trainer.write(100)
    service.plan.append(CUT_AFTER)
    one = start()
    with pytest.raises(RetryableError):
        one.run()
    one.run()
    assert service.values("n") == numbers(100)
    assert set(service.copies.values()) == {2}


def test_a_crash_after_any_batch_sends_at_most_the_last_one_again(trainer, start, service):
    trainer.write(100)
    first = start()
    first.run()
    trainer.write(50)
    service.plan.extend([CUT_AFTER, CUT_AFTER])  # the first connection was idle: that is tried again at once
    with pytest.raises(RetryableError):
        first.run()
    first.crash()
    start().run()
    assert service.values("n") == numbers(150)
    assert [service.copies[key] for key in sorted(service.copies)] == [1] * 100 + [3] * 50


def test_a_torn_position_file_costs_copies_and_no_event(trainer, start, service, folder):
    trainer.write(100)
    first = start()
    first.run()
    first.crash()
    position = next((folder / SHIPPING).glob("*.position"))
    position.write_bytes(position.read_bytes()[:5])
    trainer.write(10)
    start().run()
    assert service.values("n") == numbers(110)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(401), Answer(403), Answer(404, kind="text/html", body=b"<h1>Not found</h1>"), Answer(302, headers={"Location": "/x"}),
        Answer(200, kind="text/html", body=b"<h1>Please sign in</h1>"), Answer(400, kind="application/json", body=b'{"message": "Bad Request"}'),
    ],
)  # fmt: skip
def test_a_wrong_address_or_token_removes_nothing(trainer, start, service, folder, answer):
    trainer.write(100)
    trainer.close()
    service.otherwise = answer
    one = start()
    one.source.ended = True
    with pytest.raises(PermanentError):
        one.run()
    assert len(read_folder(folder)) == 100
    assert rejects(folder) == []


def test_rejected_events_are_counted_said_once_and_kept_with_their_reason(trainer, start, service, folder):
    service.refuse = lambda event: "odd numbers are not taken" if event.data.values["n"] % 2 else None
    trainer.write(10)
    one = start()
    one.run()
    assert service.values("n") == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert (one.shipment.counts.acknowledged, one.shipment.counts.rejected) == (5, 5)
    kept = rejects(folder)
    assert [line["event"]["data"]["values"]["n"] for line in kept] == [1.0, 3.0, 5.0, 7.0, 9.0]
    assert {line["reason"] for line in kept} == {"odd numbers are not taken"}
    assert len(one.said) == 1
    assert "5 events rejected (odd numbers are not taken), kept in" in one.said[0]


def test_a_batch_that_is_rejected_whole_moves_on(trainer, start, service, folder):
    service.refuse = lambda event: "never"
    trainer.write(7)
    start().run()
    assert len(rejects(folder)) == 7
    service.refuse = lambda event: None
    trainer.write(1)
    start(nonce="000000000001").crash()
    assert start().run() == 1
    assert service.values("n") == [7.0]


def test_one_event_that_the_service_chokes_on_is_found_by_halving(trainer, start, service, folder):
    store = service.store
    sent = []

    def judge(batch):
        sent.append(len(batch))
        if any(one["data"]["values"]["n"] == 13.0 for one in batch):
            return 0, [
                {"index": index, "id": None, "reason": "the batch is no batch"} for index in range(len(batch) + 1)
            ]
        return store(batch)

    service.store = judge  # a 422 whose list does not fit the batch: refused as a whole
    trainer.write(40)
    one = start()
    one.run()
    assert service.values("n") == [float(number) for number in range(40) if number != 13]
    assert [line["event"]["data"]["values"]["n"] for line in rejects(folder)] == [13.0]
    assert len(sent) < 20


def test_batches_shrink_to_what_the_service_takes(trainer, start, service):
    service.max_bytes = 100_000
    trainer.write(800, padding="x" * 200)
    one = start()
    one.run()
    assert service.values("n") == numbers(800)
    assert set(service.copies.values()) == {1}
    asked, taken = len(service.requests), len(service.batches)
    trainer.write(800, padding="x" * 200)
    one.run()
    assert len(service.requests) - asked == len(service.batches) - taken  # none is refused any more
    assert service.values("n") == numbers(1600)


def test_no_batch_has_more_events_than_the_contract_allows(trainer, start, service):
    for _ in range(5):
        trainer.write(700)
    start().run()
    assert service.values("n") == numbers(3500)
    assert max(service.batches) <= MAX_BATCH_EVENTS


def test_lifecycle_goes_first(trainer, start, service):
    trainer.write(10)
    trainer.write(5, SpoolClass.LIFECYCLE)
    start().run()
    assert [event.data.values["n"] for event in service.events.values()][:5] == [10.0, 11.0, 12.0, 13.0, 14.0]


def test_segments_go_in_order_and_each_is_removed_when_its_writer_went_on(trainer, start, service, folder):
    for _ in range(3):
        trainer.write(10)
        trainer.rotate()
    trainer.write(10)
    one = start()
    one.run()
    assert [event.data.values["n"] for event in service.events.values()] == numbers(40)
    assert [path.name for path in folder.glob("*.qseg")] == ["0123456789ab-bulk-00000003.qseg"]


def test_damage_is_kept_as_bytes_and_the_rest_goes_on(trainer, start, service, folder):
    trainer.write(10)
    path = next(folder.glob("*.qseg"))
    whole = path.stat().st_size
    trainer.write(10)
    second = path.stat().st_size
    trainer.write(10)
    with path.open("r+b") as file:
        file.seek((whole + second) // 2)
        file.write(b"\0\0\0\0\0\0\0\0")
    one = start()
    one.run()
    assert service.values("n") == [*numbers(10), *map(float, range(20, 30))]
    (line,) = rejects(folder)
    assert "damaged bytes" in line["reason"]
    assert "bytes" in line
    assert one.shipment.counts.rejected == 1


def test_a_full_file_of_rejects_counts_and_says_so(trainer, start, service, folder, monkeypatch):
    monkeypatch.setattr("quantum_mlops.shipping.rejects.Rejects.__init__.__defaults__", (2000,))
    service.refuse = lambda event: "never"
    trainer.write(50)
    one = start()
    one.run()
    kept = rejects(folder)
    assert 0 < len(kept) < 50
    assert (folder / SHIPPING / FILE).stat().st_size <= 2000
    assert one.shipment.counts.rejected == 50
    assert f"{50 - len(kept)} found no room there" in one.said[-1]


def test_a_segment_that_cannot_be_removed_is_said_and_not_sent_again(trainer, start, service, folder, monkeypatch):
    trainer.write(10)
    trainer.close()
    one = start()
    one.source.ended = True
    unlink = type(folder).unlink
    monkeypatch.setattr(
        type(folder),
        "unlink",
        lambda path, **options: (_ for _ in ()).throw(PermissionError(1, "Operation not permitted")),
    )
    for _ in range(3):
        with pytest.raises(
            PermanentError, match="all of .* is sent, but it cannot be removed: Operation not permitted"
        ):
            one.run()
    monkeypatch.setattr(type(folder), "unlink", unlink)
    one.run()
    assert set(service.copies.values()) == {1}
    assert list(folder.glob("*.qseg")) == []


def test_what_is_left_is_known_in_bytes(trainer, start, service):
    trainer.write(100)
    one = start()
    assert one.shipment.lag_bytes(one.source.own_all()) > 1000
    one.run()
    assert one.shipment.lag_bytes(one.source.own_all()) == 0
