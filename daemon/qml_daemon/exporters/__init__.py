"""Exporters: what the log holds, sent on to other systems, each in a process of its own.

An exporter reads the log by itself, so the log is its queue: a system that is away for hours costs
nothing but a cursor that waits. Where to start reading: base.py, worker.py, process.py.
"""
