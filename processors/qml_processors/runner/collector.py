"""Python's cyclic collector, kept out of the way of a process that holds many small states.

With the default thresholds a full collection over 100,000 series stalls a batch for 0.2 s.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG, _MIDDLE, _OLD = 10_000, 50, 1_000


def settle() -> None:
    """Move what is alive out of the collector's sight and space full collections out.

    Call it after a recovery; it takes as long as one full collection.
    """
    gc.unfreeze()  # what was let go since the last time: a worker's partitions come and go
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)


@contextmanager
def paused() -> Iterator[None]:
    """Keep the collector from running while many objects are made that all stay."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
