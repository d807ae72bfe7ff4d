"""Tools for contributors: nothing here is needed to run Space."""
