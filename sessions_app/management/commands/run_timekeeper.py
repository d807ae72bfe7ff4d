"""`manage.py run_timekeeper`: ends what is due, until SIGTERM or Ctrl-C. Run at least two."""

import signal
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

from sessions_app.timekeeper import Timekeeper, timekeeper_starts


class Command(BaseCommand):
    help = "Ends sessions at their deadline and sends reminders."

    def handle(self, *args: Any, **options: Any) -> None:
        keeper = Timekeeper()

        def stop(signum: int, frame: FrameType | None) -> None:
            keeper.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        timekeeper_starts.send(sender=Timekeeper)
        self.stdout.write("Timekeeper is running.")
        keeper.run()
