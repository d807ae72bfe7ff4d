"""A believable year of one user, for `manage.py demo`.

week.py      the week that repeats, and what its sessions are about
plan.py      all sessions up to an instant. Pure: a seed and an instant give one plan
write.py     the plan as rows, as the services would have left them
account.py   the account that the rows belong to
"""
