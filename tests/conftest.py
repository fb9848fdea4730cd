"""Hypothesis runs the same examples everywhere; strategies for every event of the contract.

Tests marked `system_tool(name)` need a tool of the system that a newcomer's machine may lack, or not permit:
there they are deselected and the summary says so. Where the environment variable `CI` is set they run, and fail.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from quantum_mlops.events import DATA_TYPES, Context, Event

# Whether a machine is busy is no health of a test.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")

pytest_plugins = ["tests.broker", "tests.mosquitto", "tests.service"]

_PID_NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
_AS_ROOT = (*_PID_NAMESPACE, "true")
_AS_USER = (_PID_NAMESPACE[0], "--user", "--map-root-user", *_PID_NAMESPACE[1:], "true")
_PROBES = {
    "curl": ("curl", "--version"),
    "mosquitto": ("sh", "-c", "command -v mosquitto || test -x /usr/sbin/mosquitto"),
    "strace": ("strace", "-o", os.devnull, "true"),
    "unshare": _AS_ROOT if os.geteuid() == 0 else _AS_USER,
}
_LACKING = pytest.StashKey[dict[str, int]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "system_tool(name): needs a tool of the system; see tests/conftest.py")
    for name in ("NO_PROXY", "no_proxy"):  # the servers of the tests are on this machine
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1,localhost")))


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """A command that a test runs in this process leaves no handler behind: a child that ignores SIGTERM never ends."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


def _works(tool: str) -> bool:
    try:
        return subprocess.run(_PROBES[tool], capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("CI"):
        return
    needs = {item: mark.args[0] for item in items if (mark := item.get_closest_marker("system_tool"))}
    lacking = {tool for tool in set(needs.values()) if not _works(tool)}
    left_out = [item for item, tool in needs.items() if tool in lacking]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if needs.get(item) not in lacking]
        config.stash[_LACKING] = {tool: sum(needs[item] == tool for item in left_out) for tool in sorted(lacking)}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for tool, number in config.stash.get(_LACKING, {}).items():
        terminalreporter.write_line(
            f"{number} tests not run: they need `{tool}`, which is not installed or not permitted on this machine "
            "(with the environment variable CI=true they run, and fail)"
        )


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
        case inspect.FloatType(ge=low, le=high, gt=above, lt=below):
            return st.floats(
                low if above is None else above,
                high if below is None else below,
                exclude_min=above is not None,
                exclude_max=below is not None,
                allow_nan=False,
                allow_infinity=False,
            )
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
