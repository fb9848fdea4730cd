import threading

import pytest

from qml_producers.ibm.link import Link
from quantum_mlops.errors import RetryableError
from tests.waiting import wait_for


@pytest.fixture
def link():
    link = Link("ibm", 20)
    yield link
    link.close()
    link.close()


def test_it_returns_and_raises_what_the_call_does_in_one_thread(link):
    names = {link.call(lambda: threading.current_thread().name) for _ in range(3)}
    assert names == {"qml-ibm"}
    for error in (LookupError("none"), TimeoutError("its own")):

        def broken(error=error):
            raise error

        with pytest.raises(type(error)) as caught:
            link.call(broken)
        assert caught.value is error


def test_a_call_that_hangs_is_left_and_refuses_the_next_until_it_comes_back(link):
    back = threading.Event()
    link._timeout_seconds = 0.1
    with pytest.raises(RetryableError, match=r"ibm: no answer within 0\.1 s"):
        link.call(lambda: back.wait(10))
    with pytest.raises(RetryableError, match="the call before has not come back"):
        link.call(lambda: 1)
    back.set()

    def works():
        try:
            return link.call(lambda: "works")
        except RetryableError:
            return None

    assert wait_for(works, "the thread is free again") == "works"
