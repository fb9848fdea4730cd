"""Receivers: one module or package a kind, found by the entry point group `quantum_mlops.notifiers`."""
