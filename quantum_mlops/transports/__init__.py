"""The log seam and its homes: memory and SQLite."""
