import requests

from qml_producers.observing.failures import failure_of


def test_a_key_that_a_client_quotes_is_not_told():
    try:
        requests.Request("GET", "http://127.0.0.1", headers={"Authorization": "apiKey 5f2c9ab1\n"}).prepare()
    except requests.exceptions.InvalidHeader as error:
        assert "5f2c9ab1" in str(error)
        failure = failure_of(error)
    assert failure.code == "InvalidHeader"
    assert "5f2c9ab1" not in failure.message
    assert "[redacted]" in failure.message


def test_an_error_whose_words_are_none_has_its_kind_alone():
    class BrokenError(Exception):
        def __str__(self):
            raise self

    assert failure_of(BrokenError()).code == "BrokenError"
    assert failure_of(BrokenError()).message == ""
    assert failure_of(ValueError("\ud800")).message == "?"
    assert len(failure_of(ValueError("x" * 10_000)).message) == 2000
