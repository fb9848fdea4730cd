"""Calibrations: what each provider says of its devices, as columns in SI units; only changes are told."""
