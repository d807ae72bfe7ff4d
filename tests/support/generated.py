"""How many examples a generated test tries: few in the daily run, many in `--all`.

The profiles of hypothesis decide: "daily" is the default, `./space test --all` asks for "all", and
`--hypothesis-profile=most` is for a night. A test that sets its own number scales it with `share`.
"""

from __future__ import annotations

import os

from hypothesis import settings

EXAMPLES = {"daily": 20, "all": 100, "most": 3000}


def register_profiles() -> None:
    ci = bool(os.environ.get("CI"))  # the same examples each time
    for name, count in EXAMPLES.items():
        # A slow moment of the machine is not a failure.
        settings.register_profile(
            name, deadline=None, max_examples=count, derandomize=ci, print_blob=ci
        )
    settings.load_profile("daily")


def share(count: int) -> int:
    """`count` in `--all`, a fifth of it in the daily run."""
    return max(1, count * settings().max_examples // EXAMPLES["all"])
