"""`/metrics` for Prometheus: its content is in `families.py`, and it is served by `page.py` (on the
server's own port, with a token) and `listener.py` (on a port of its own). ADR 37.
"""
