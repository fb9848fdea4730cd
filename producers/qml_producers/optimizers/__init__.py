"""Watches optimizers: a loss, a gradient and a number of executions for each iteration, without an evaluation more."""
