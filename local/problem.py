"""What a user can do something about. Its message is all that they are shown."""


class Problem(Exception):
    """Something for the user to do."""
