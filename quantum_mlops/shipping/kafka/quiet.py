"""Keeps aiokafka out of the host's log and out of its random numbers.

In two outages it logs some 45,000 lines, all of which come to us as errors too, to be said once. And it
draws from the `random` module, whose sequence belongs to the program that set its seed.
"""

import asyncio
import logging
import random

import aiokafka.client
import aiokafka.conn

from quantum_mlops.shipping.loop import ClientLoop


def keep_quiet() -> None:
    """Drop what aiokafka logs on a loop of ours, the host's own use of it untouched; idempotent.

    Its shuffling of brokers uses a generator of its own from now on.
    """
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "aiokafka"]:
        logging.getLogger(name).addFilter(_is_from_elsewhere)
    for module in (aiokafka.client, aiokafka.conn):
        module.random = _own


_own = random.Random()  # noqa: S311 - which broker is asked first


def _is_from_elsewhere(_record: logging.LogRecord) -> bool:
    try:
        return not isinstance(asyncio.get_running_loop(), ClientLoop)
    except RuntimeError:
        return True
