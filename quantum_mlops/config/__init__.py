"""Configuration: the rules that processors act on, and the sections of the daemon's file."""
