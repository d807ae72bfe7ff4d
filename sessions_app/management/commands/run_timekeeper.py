"""`manage.py run_timekeeper`: ends due sessions, until SIGTERM or Ctrl-C. Run at least two."""

import signal
from argparse import ArgumentParser
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from runtime.database.probe import check_can_connect
from runtime.liveness_file import LivenessFile
from runtime.watchdog import CounterHeartbeat, HealthCheck, Watchdog
from sessions_app.timekeeper.loop import Timekeeper, timekeeper_starts

# A round has some statements, of at most 5 s each where the database is frozen.
LOOP_TOLERANCE_S = 30.0
FAILING_TOLERANCE_S = 60.0


class Command(BaseCommand):
    help = "Ends sessions at their deadline and sends reminders."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--alive",
            type=Path,
            metavar="FILE",
            help="where it says that it lives; `python -m config.probe file:FILE` reads it",
        )

    def handle(self, *args: Any, alive: Path | None, **options: Any) -> None:
        keeper = Timekeeper(LivenessFile(alive).record) if alive else Timekeeper()

        def stop(signum: int, frame: FrameType | None) -> None:
            keeper.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        timekeeper_starts.send(sender=Timekeeper)
        watchdog = watchdog_of(keeper)
        if settings.WATCHDOG:
            watchdog.start()
        self.stdout.write("Timekeeper is running.")
        keeper.run()
        watchdog.stop()


def watchdog_of(keeper: Timekeeper) -> Watchdog:
    """Ends a timekeeper that hangs, or whose rounds fail although the database answers."""
    loop = CounterHeartbeat(lambda: keeper.begun)
    success = CounterHeartbeat(lambda: keeper.succeeded)
    return Watchdog(
        [
            HealthCheck.of_loop("the timekeeper", loop, LOOP_TOLERANCE_S),
            HealthCheck(
                "no round succeeded",
                lambda: not success.has_beaten(),
                FAILING_TOLERANCE_S,
                check_can_connect,
            ),
        ]
    )
