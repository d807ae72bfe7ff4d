"""`/metrics` for Prometheus. What is told is in `families.py`, how it is reached in `page.py` (the
server's own port, for who has the token) and `listener.py` (a port of its own). ADR 37.
"""
