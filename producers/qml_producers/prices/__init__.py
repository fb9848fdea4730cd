"""Prices: versioned price books as data, and what a use of a device costs by them.

No price is written in code. A book says where each price comes from and since when it holds; what no book knows is
unknown, never 0.
"""

from qml_producers.prices.book import Book, Price, parse_book
from qml_producers.prices.catalogue import Prices
from qml_producers.prices.device_cost import with_device_cost
from qml_producers.prices.host import open_for_host
from qml_producers.prices.stages import cost_of
from qml_producers.prices.use import Use

__all__ = ["Book", "Price", "Prices", "Use", "cost_of", "open_for_host", "parse_book", "with_device_cost"]
