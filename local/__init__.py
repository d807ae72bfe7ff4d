"""The parts of `./space`: the virtual environment, the local servers, the commands.

Standard library only, because it runs before anything is installed. The tests use it too
(`tests/support/servers_plugin.py`), so that they run on the same PostgreSQL and Valkey.
"""
