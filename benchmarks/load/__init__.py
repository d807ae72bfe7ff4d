"""The load client: `load.c`, and `load.py` where no compiler is."""
