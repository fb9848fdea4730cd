"""The pages on alerts (docs/alerts): which one explains a rule, its text, its address.

They travel in the wheel and the daemon serves them, so a link in an alert leads to the text of the version that
sent it.
"""

from functools import cache
from pathlib import Path

PATH = "/docs/alerts"
_INSTALLED = Path(__file__).parent / "alert_pages"
_CHECKOUT = Path(__file__).parents[2] / "docs" / "alerts"
_BOUNDS = frozenset({"above", "below", "absent"})
_TOLD_ELSEWHERE = {"CircuitDriftNotCharted": "CircuitDrift"}


@cache
def read_pages() -> dict[str, bytes]:
    """Return the text of each page by its name: from the wheel, else from the checkout."""
    folder = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT
    return {path.stem: path.read_bytes() for path in folder.glob("[A-Z]*.md") if path.stem != "README"}


def page_of(rule: str) -> str | None:
    """Return the name of the page that explains a finding's rule; None where there is none, as for a plugin's.

    >>> page_of("CostSpike/price"), page_of("LowAccuracy/below"), page_of("MyOwn")
    ('CostSpike', 'Threshold', None)
    """
    name, _, what = rule.partition("/")
    name = "Threshold" if what in _BOUNDS else _TOLD_ELSEWHERE.get(name, name)
    return name if name in read_pages() else None


def address_of(rule: str, external_url: str | None) -> str | None:
    """Return where people can read about a rule: a page of the service at `external_url`; None without one.

    >>> address_of("LossNaN", "https://monitor.example.org/")
    'https://monitor.example.org/docs/alerts/LossNaN'
    """
    page = None if external_url is None else page_of(rule)
    return None if external_url is None or page is None else f"{external_url.rstrip('/')}{PATH}/{page}"
