"""Calibrations from files and from providers into the spool: the readers of documents are in the producers."""
