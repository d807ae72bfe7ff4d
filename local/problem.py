"""An error that the user can mend, and the exit code of a command that ends with it."""

from collections.abc import Callable

from local.console import complain


class Problem(Exception):
    """Something for the user to do. Its message is all that they are shown."""


def explained(work: Callable[[], int]) -> int:
    """The exit code of a command: 1 after a `Problem`, 130 after Ctrl-C."""
    try:
        return work()
    except Problem as problem:
        complain(f"{problem}")
        return 1
    except KeyboardInterrupt:
        complain("Stopped.")
        return 130
