"""Hypothesis runs the same examples everywhere; strategies for every event of the contract."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from quantum_mlops.events import DATA_TYPES, Context, Event

settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("repeatable")

_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


def _of(kind: Any) -> st.SearchStrategy[Any]:  # noqa: C901, PLR0911, PLR0912 - one branch a kind of type
    inspect = msgspec.inspect
    match kind:
        case inspect.StrType(pattern=str() as pattern, min_length=least):
            fits = st.from_regex(pattern, fullmatch=True).filter(lambda text: text.isascii() and "\n" not in text)
            return fits.filter(lambda text: len(text) >= (least or 0))
        case inspect.StrType(min_length=least):
            return st.text(st.characters(exclude_categories=("Cs",)), min_size=least or 0, max_size=12)
        case inspect.IntType(ge=low, le=high):
            return st.integers(-(2**62) if low is None else low, 2**62 if high is None else high)
        case inspect.FloatType(ge=low, le=high):
            return st.floats(low, high, allow_nan=False, allow_infinity=False)
        case inspect.BoolType():
            return st.booleans()
        case inspect.BytesType():
            return st.binary(max_size=16)
        case inspect.DateTimeType():
            return st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
        case inspect.NoneType():
            return st.none()
        case inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case inspect.ListType(item_type=item):
            return st.lists(_of(item), max_size=3)
        case inspect.TupleType(item_types=items):
            return st.tuples(*map(_of, items))
        case inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(_of(key), _of(value), max_size=3)
        case inspect.UnionType(types=types):
            return st.one_of(*map(_of, types))
        case inspect.StructType(cls=cls, fields=fields):
            return st.builds(cls, **{field.name: _of(field.type) for field in fields})
        case inspect.Metadata(type=inner):
            return _of(inner)
    message = f"no strategy for {kind}"
    raise TypeError(message)


def _events(event_type: str, data: type[msgspec.Struct]) -> st.SearchStrategy[Event]:
    times = st.integers(-62_135_596_800 * 10**9, 253_402_300_799 * 10**9)
    return st.builds(
        Event,
        id=_TEXT.filter(bool),
        source=_TEXT.filter(bool),
        type=st.just(event_type),
        time=times,
        partitionkey=_TEXT,
        project=_TEXT,
        context=_of(msgspec.inspect.type_info(Context)),
        ingestedtime=st.none() | times,
        data=_of(msgspec.inspect.type_info(data)),
    )


@pytest.fixture(scope="session")
def any_event() -> st.SearchStrategy[Event]:
    return st.one_of(*(_events(name, data) for name, data in DATA_TYPES.items()))
