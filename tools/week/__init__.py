"""A simulated week of a small team, as a recording of events. See docs/week.md for what is simulated and what is not."""
