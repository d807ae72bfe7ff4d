"""The lines that `./space run` passes on from the log of a part."""

from pathlib import Path

import pytest

from local.console import Warnings

LOG = """\
2026-11-23 01:00:00,000 INFO    config: nothing new
2026-11-23 01:00:00,000 ERROR   config: it broke
Traceback
2026-11-23 01:00:00,000 INFO    config: nothing new
Content-Type: text/plain; charset="utf-8"
Subject: Your new password for Space

http://127.0.0.1:8000/#reset/MQ/x-y

{line}
2026-11-23 01:00:00,000 INFO    config: nothing new
""".format(line="-" * 79)


def test_warnings_and_mails_are_passed_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "server.log"
    warnings = Warnings("server", log)
    log.write_text(LOG)
    warnings.pass_on()
    assert capsys.readouterr().out.splitlines() == [
        "server: 2026-11-23 01:00:00,000 ERROR   config: it broke",
        "server: Traceback",
        'mail: Content-Type: text/plain; charset="utf-8"',
        "mail: Subject: Your new password for Space",
        "mail: ",
        "mail: http://127.0.0.1:8000/#reset/MQ/x-y",
        "mail: ",
        "",
    ]
