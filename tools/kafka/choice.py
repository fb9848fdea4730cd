"""Which broker tests share: what `QML_TEST_KAFKA` names, else Docker's, else one from Maven's jars."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tools.kafka.broker import Broker
from tools.kafka.container import container, engine_answers
from tools.kafka.jars import BrokerError, obtainable


class NoBrokerError(BrokerError):
    """None of the three is at hand."""


@contextlib.contextmanager
def shared_broker(folder: Path) -> Iterator[str]:
    """Yield the address of a broker; one that is started here writes to `folder` and ends with the block.

    Raises:
        NoBrokerError: None is at hand.
        BrokerError: One was started and did not come up.
    """
    given = os.environ.get("QML_TEST_KAFKA")
    if given:
        yield given
    elif engine_answers():
        with container() as address:
            yield address
    elif obtainable():
        with Broker(folder) as broker:
            yield broker.bootstrap
    else:
        raise NoBrokerError(
            "no broker: set QML_TEST_KAFKA=host:port, start Docker, or install Java and Maven "
            "(on Debian and Ubuntu: apt-get install default-jre-headless maven)"
        )
