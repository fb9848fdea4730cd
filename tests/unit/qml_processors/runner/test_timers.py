import random

from qml_processors.runner.series import Series, Slot
from qml_processors.runner.timers import Timers


def make(bench, keys):
    slots = {processor.name: Slot(processor) for processor in (bench.Absence(), bench.Counter())}
    series = {}
    for slot in slots.values():
        for key in keys:
            slot.series["p", key] = series[slot.name, key] = Series(slot, "p", key)
    return Timers(slots), series


def test_timers_come_by_due_then_processor_then_key(bench):
    timers, series = make(bench, "abc")
    for address in [("counter", "a"), ("absence", "c"), ("absence", "b")]:
        timers.arm(series[address], 10)
    timers.arm(series["counter", "b"], 9)
    order = []
    while (found := timers.peek()) is not None:
        order.append((found.due, *found.address))
        timers.pop(found)
    assert order == [
        (9, "counter", "p", "b"),
        (10, "absence", "p", "b"),
        (10, "absence", "p", "c"),
        (10, "counter", "p", "a"),
    ]


def test_random_arming_agrees_with_a_plain_table_and_the_heap_stays_small(bench):
    rng = random.Random(3)
    timers, series = make(bench, [str(n) for n in range(50)])
    table = {}
    for _ in range(20_000):
        one = rng.choice(list(series.values()))
        due = rng.choice([None, rng.randrange(1000)])
        timers.arm(one, due)
        table[one.address] = due
        if rng.random() < 0.1:
            live = sorted((due, *address) for address, due in table.items() if due is not None)
            first = timers.peek()
            assert (None if first is None else (first.due, *first.address)) == (live[0] if live else None)
            if first is not None and rng.random() < 0.5:
                timers.pop(first)
                table[first.address] = None
    assert len(timers.heap) < 2500
