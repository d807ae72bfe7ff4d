"""A believable year of one user's, for `manage.py demo`.

habits.py    when: which days, how many sessions, at what time of day
texts.py     what: a few lasting projects, their titles and tasks
draft.py     what one session is about
chances.py   what may happen while it runs
story.py     one session from its making to its end, by the rules of `countdown.py`
today.py     what there is at the end of a plan
plan.py      all sessions up to an instant. Pure: a seed and an instant give one plan
write.py     the plan as rows, as the services would have left them
account.py   the account that it is written into
"""
