"""The daemon's own metrics for Prometheus: `/metrics`.

`catalogue` is the one list of what there is; rules, dashboard and documentation are written from it. What is
watched is counted by a consumer of the log (`watched`), what the service does is published by its loop
(`service`); a scrape reads both and touches nothing that works.
"""
