"""Instrumentation: executions of a quantum SDK become events. Must never hurt the host."""
