"""Metrics for Prometheus: read from the server's own counters when somebody asks, at no cost before that.

Invariants: every label's values are a list of our own (routes, codes, tags, uses of keys), so the number of series
does not depend on what callers send; no name, address or id of anybody is in them. They leave by the control socket
and by `metrics.listen`, never by the public address.
"""
