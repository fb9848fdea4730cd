"""Silences over HTTP: who may make the dispatcher quiet about what, and for how long."""
