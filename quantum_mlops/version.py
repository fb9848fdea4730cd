"""The version of this distribution, as pyproject.toml says it (a test compares the two)."""

__version__ = "0.1.0"
