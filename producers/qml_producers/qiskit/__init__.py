"""Instrumentation of Qiskit's V2 primitives; `instrumentation` is its door and loads no Qiskit at import."""
