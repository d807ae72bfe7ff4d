"""Mails are made and sent after the answer, by one thread that works off a bounded queue in order.

No request waits for a mail server, or reveals by its time whether there was something to send. A
mail that cannot be sent is logged and not tried again: the user asks for another link.
"""

import atexit
import logging
import threading
from collections.abc import Callable
from queue import Full, Queue
from smtplib import SMTPRecipientsRefused

from django.core.mail import EmailMessage
from django.db import connection

from accounts.mail.messages import Message
from runtime.deadline import within
from runtime.stats import LabelledCounter

log = logging.getLogger(__name__)

Work = Callable[[], None]

MAX_QUEUED = 1_000  # a mail server that does not answer takes EMAIL_TIMEOUT for each
MAIL_S = 30.0  # for one mail, with the queries that it needs
FLUSH_S = 2.0  # how long a process that ends waits for queued mails
counts = LabelledCounter(
    "space_mails",
    "Mails by result: `done`, `failed`, or `dropped` where too many waited.",
    "result",
    ("done", "failed", "dropped"),
)


def send(message: Message, to: str) -> None:
    """Sends it now, in the background thread. Raises the errors of the mail server."""
    EmailMessage(message.subject, message.text, to=[to]).send()


class Background:
    """A queue, and a daemon thread that works it off."""

    def __init__(self) -> None:
        self._queue: Queue[Work] = Queue(MAX_QUEUED)
        self._starting = threading.Lock()
        self._started = False

    def put(self, work: Work) -> None:
        """Returns at once. Safe from any thread. Beyond `MAX_QUEUED` it drops the job and logs."""
        self._start()
        try:
            self._queue.put_nowait(work)
        except Full:
            counts.add("dropped")
            log.error("a mail was dropped: %d wait already", MAX_QUEUED)

    def waiting(self) -> int:
        return self._queue.qsize()

    def flush(self, timeout_s: float = FLUSH_S) -> bool:
        """Waits until all jobs are done. False if that took too long."""
        done = self._queue.all_tasks_done
        with done:
            return done.wait_for(lambda: not self._queue.unfinished_tasks, timeout_s)

    def _start(self) -> None:
        with self._starting:
            if not self._started:  # not on import: a server with several processes forks
                self._started = True
                threading.Thread(target=self._run, name="mail", daemon=True).start()
                atexit.register(self.flush)

    def _run(self) -> None:
        while True:
            work = self._queue.get()
            try:
                with within(MAIL_S):
                    work()
                counts.add("done")
            except SMTPRecipientsRefused:  # it would write the address into the log
                counts.add("failed")
                log.error("a mail was not sent: the mail server refuses its address")
            except Exception as error:
                counts.add("failed")
                log.error("a mail was not sent: %r", error)
            finally:
                connection.close()  # back to the pool: the next mail may come much later
                self._queue.task_done()


_background = Background()
put = _background.put
flush = _background.flush
waiting = _background.waiting
