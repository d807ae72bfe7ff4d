"""`./space load`: many devices that behave like people's, and check what they receive.

__main__.py    the command line
run.py         one run: sign in, connect, act, compare, report
people.py      what a person does with a few devices and some sessions
device.py      one device: its socket, and how it reconnects
rest.py        requests; obeys 429
accounts.py    the users, kept for the next run

rules.py       every rule that is checked, as one sentence each
device_check.py, tick_check.py, user_check.py, log_check.py
               the rules: pure, fed with frames and instants (milliseconds); tests feed them too
histogram.py, lag.py, server_clock.py, state.py, tally.py, report.py
"""
