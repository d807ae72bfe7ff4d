"""uvicorn's HTTP, for clients that are slow on purpose or send no valid HTTP.

uvicorn waits without an end for the headers and the body of a request, and for a client that does
not read its answer. Here each connection is checked every 5 s. One that makes no progress is
answered with 408, or cut.

                    what must happen                      within
    headers         all of them arrive                    10 s (15 at most) from the first byte, or
                                                          from the connection
    body            all of it arrives, where it is read   60 s, and something of it in every 10
    answer          16 KiB of it are read                 30 s
    idle            the next request                      `timeout_keep_alive`, uvicorn's own

Checks are counted, not seconds: an event loop that stood still for a while blames no client.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from server.asgi.early_errors import encoded_error
from server.uvicorn.timer_wheel import TimerWheel
from web.errors import request_id

CHECK_EVERY_S = 5.0
HEADERS_WITHIN = 2  # checks, and the part of an interval that has passed at the first one
BODY_WITHIN = 12
SILENT_FOR = 2
UNREAD_FOR = 6
LEAST_READ = 16 * 1024  # bytes between two checks, of an answer that waits
LARGEST_HEAD = 32 * 1024  # bytes of the request line and headers; httptools has no limit
MOST_HEADERS = 200
MOST_IN_PIPELINE = 20
MOST_AFTER_ANSWER = 1024 * 1024  # bytes of a body that is read although the answer is complete

TOO_LONG = 414, "too_large", "The address is too long."
TOO_LARGE = 431, "too_large", "The headers are too large."

WAITING, HEADERS, BODY = "waiting", "headers", "body"  # for this part of a request


class _Refused(Exception):
    """Raised within the parser, which stops there."""


class Http(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._reads = WAITING
        self._refusal = (400, "invalid", "The request is no valid HTTP.")
        self._head = self._unparsed = self._named = self._after_answer = 0
        self._checks = self._silent = self._unread = 0
        self._came = self._was_read = False  # since the last check
        self._waits_to_go = 0  # bytes at the last check

    # -- connecting --------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        TimerWheel.of(self.loop, CHECK_EVERY_S).add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        TimerWheel.of(self.loop, CHECK_EVERY_S).discard(self)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        TimerWheel.of(self.loop, CHECK_EVERY_S).discard(self)
        super().handle_websocket_upgrade()

    def _unsupported_upgrade_warning(self) -> None:
        """A request for another protocol is answered in this one, and is the last."""
        if (cycle := self._cycle) is not None:
            cycle.keep_alive = False

    # -- receiving ------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._came = True
        before = self._reads
        super().data_received(data)
        if before == self._reads == HEADERS and not self.transport.is_closing():
            self._unparsed += len(data)  # httptools does not report an unfinished header
            if self._unparsed > LARGEST_HEAD:
                self._refusal = TOO_LARGE if self._named else TOO_LONG
                self.send_400_response("")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._reads = HEADERS
        self._head = self._unparsed = self._named = self._checks = self._after_answer = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._grew(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._named += 1
        self._grew(len(name) + len(value))

    def _grew(self, by: int) -> None:
        self._head += by
        if self._head > LARGEST_HEAD or self._named > MOST_HEADERS:
            self._refusal = TOO_LARGE if self._named else TOO_LONG
            raise _Refused

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= MOST_IN_PIPELINE:
            raise _Refused
        self._reads = BODY
        self._checks = self._silent = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if not self._answers():
            self._after_answer += len(body)
            if self._after_answer > MOST_AFTER_ANSWER:
                self.transport.close()

    def on_message_complete(self) -> None:
        self._reads = WAITING
        self._checks = 0
        super().on_message_complete()

    # -- progress ---------------------------------------------------------------------------------

    def check_progress(self) -> None:
        came, self._came = self._came, False
        if self._is_not_read() or self.transport.is_closing():
            return
        if self._reads == BODY:
            self._check_body(came)
        elif not self._answers() and self.timeout_keep_alive_task is None:
            self._checks += 1
            if self._checks <= HEADERS_WITHIN:
                return
            if self._reads == WAITING:
                self.transport.close()  # there is no request to answer
            else:
                self._too_slow("The request took too long to arrive.")

    def _check_body(self, came: bool) -> None:
        asked = not (self._answers() and self.cycle.waiting_for_100_continue)
        if self.flow.read_paused or not asked:  # the server itself is slow
            return
        self._checks += 1
        self._silent = 0 if came else self._silent + 1
        if self._checks > BODY_WITHIN or self._silent > SILENT_FOR:
            self._too_slow("The body took too long to arrive.")

    @property
    def _cycle(self) -> RequestResponseCycle | None:
        """The last request, if there was one."""
        return self.cycle

    def _answers(self) -> bool:
        return (cycle := self._cycle) is not None and not cycle.response_complete

    def resume_writing(self) -> None:
        self._was_read = True
        super().resume_writing()

    def _is_not_read(self) -> bool:
        """Whether an answer waits to be sent. Cuts the connection where it has waited too long."""
        waits, before = self.transport.get_write_buffer_size(), self._waits_to_go
        self._waits_to_go = waits
        if not waits:
            self._unread = 0
            return False
        if self._was_read or before - waits >= LEAST_READ:
            self._was_read, self._unread = False, 0
        else:
            self._unread += 1
        if self._unread > UNREAD_FOR:
            self.transport.abort()
        return True

    # -- refusing --------------------------------------------------------------------------------

    def _too_slow(self, sentence: str) -> None:
        self._refusal = 408, "too_slow", sentence
        self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        """Sends `_refusal`, where no other answer is under way, and closes the connection."""
        under_way = self.pipeline or (self._answers() and self.cycle.response_started)
        if not under_way:
            status, code, sentence = self._refusal
            headers, body = encoded_error(code, sentence, request_id())
            headers.append((b"connection", b"close"))
            head = b"".join(b"%b: %b\r\n" % header for header in headers)
            self.transport.write(STATUS_LINE[status] + head + b"\r\n" + body)
        if (cycle := self._cycle) is not None:
            cycle.disconnected = True  # the application's answer would reach nobody
            cycle.message_event.set()
        self.transport.close()
