"""Processors and the runner: events become findings and summaries."""
