"""Instrumentation of the Amazon Braket SDK; `instrumentation` is its door and loads no Braket at import."""
