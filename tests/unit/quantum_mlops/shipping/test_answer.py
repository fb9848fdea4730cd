import json

import pytest

from quantum_mlops.errors import PermanentError, RetryableError
from quantum_mlops.shipping.answer import BatchRefusedError, Rejected, judge, retry_after_seconds

PROBLEM = {"content-type": "application/problem+json"}


def answered(status, headers=None, body=b"", sent=3):
    return judge(status, headers or {}, body, sent, now=1000.0)


def test_all_accepted_is_no_reject():
    assert answered(202, body=b'{"accepted": 3, "rejected": []}') == []


def test_rejected_events_come_with_place_and_reason_also_without_an_id():
    body = b'{"accepted": 1, "rejected": [{"index": 0, "id": null, "code": "x", "reason": "a"}, {"index": 2, "id": "9", "reason": "b"}]}'
    assert answered(202, body=body) == [Rejected(0, None, "a"), Rejected(2, "9", "b")]


def test_a_whole_batch_rejected_one_by_one_is_an_answer_too():
    rejected = [{"index": index, "id": "1", "reason": "no"} for index in range(3)]
    body = json.dumps({"detail": "none", "accepted": 0, "rejected": rejected}).encode()
    assert len(answered(422, PROBLEM, body)) == 3


@pytest.mark.parametrize(
    "body",
    [
        b"<html>sign in</html>", b"", b"{}", b"[]", b'{"accepted": "3"}', b'{"accepted": 2, "rejected": []}', b'{"accepted": 4}',
        b'{"accepted": 2, "rejected": [{"index": 3}]}', b'{"accepted": 1, "rejected": [{"index": 1}, {"index": 1}]}',
        b'{"accepted": 2, "rejected": [{"index": -1}]}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_a_success_in_other_words_acknowledges_nothing(body):
    with pytest.raises(PermanentError, match="check the address"):
        answered(200, body=body)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 507])
def test_what_may_pass_later_is_retryable(status):
    with pytest.raises(RetryableError) as caught:
        answered(status, {"retry-after": "7"} | PROBLEM, b'{"detail": "busy"}')
    assert caught.value.retry_after_seconds == 7.0
    assert str(caught.value) == f"answered {status} (busy)"


@pytest.mark.parametrize("status", [301, 307, 401, 403, 404, 405, 410, 415, 421, 431])
def test_what_a_person_has_to_mend_is_permanent(status):
    with pytest.raises(PermanentError, match=rf"\Aanswered {status}: "):
        answered(status)


@pytest.mark.parametrize("status", [400, 422])
def test_a_bad_batch_is_told_from_a_wrong_address(status):
    with pytest.raises(BatchRefusedError) as caught:
        answered(status, PROBLEM, b'{"detail": "no JSON"}')
    assert not caught.value.too_large
    with pytest.raises(PermanentError):
        answered(status, {"content-type": "application/json"}, b'{"message": "Bad Request"}')


def test_too_large_is_taken_from_a_proxy_as_well():
    with pytest.raises(BatchRefusedError) as caught:
        answered(413, {"content-type": "text/html"}, b"<h1>413</h1>")
    assert caught.value.too_large


def test_what_a_server_wrote_stays_one_short_printable_line():
    with pytest.raises(RetryableError) as caught:
        answered(503, PROBLEM, json.dumps({"detail": "\x1b[2J\n" + "x" * 1000}).encode())
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0), ("3", 3.0), ("-5", 0.0), ("99999999", 900.0), ("soon", None), ("", None), (None, None),
        ("Thu, 01 Jan 1970 00:16:45 GMT", 5.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0), ("Thu, 01 Jan 1970 00:16:45 -0000", 5.0),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date_and_bounded(text, seconds):
    assert retry_after_seconds(text, 1000.0) == seconds
