"""The attributes of every class of a package that is loaded: what `autolog` may change and must put back."""

import sys
from collections.abc import Iterable
from typing import Any

Attributes = dict[tuple[str, str], Any]


def attributes_of(packages: Iterable[str]) -> Attributes:
    """Return each class's own attributes, and each module's functions, by (where, name). Imports nothing.

    >>> class_attribute = ("collections.Counter", "update")
    >>> class_attribute in attributes_of(["collections"])
    True
    """
    wanted = tuple(packages)
    found: Attributes = {}
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] not in wanted or module is None:
            continue
        for name, value in list(vars(module).items()):
            if isinstance(value, type) and value.__module__.partition(".")[0] in wanted:
                where = f"{value.__module__}.{value.__qualname__}"
                found.update({(where, attribute): held for attribute, held in vars(value).items()})
            elif callable(value):
                found[module_name, name] = value
    return found


def changed(before: Attributes, after: Attributes) -> list[str]:
    """Return what is another object now, or gone; what is new is the SDK's own doing.

    Caches that Python or the SDK fills in by itself (`__abstractmethods__`, `_abc_impl`, …) do not count.
    """
    return sorted(
        f"{where}.{name}"
        for (where, name), value in before.items()
        if callable(value) and ((where, name) not in after or after[where, name] is not value)
    )
