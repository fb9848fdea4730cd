"""Views: what the log says of runs, jobs, backends, series and findings, kept for quick questions."""
