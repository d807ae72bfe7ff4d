"""Ends the servers of a run that was killed, where the kernel did not.

A pid file is not enough: the number may belong to another process by now. So it counts only if
that process was started with our folder among its arguments.
"""

import os
import signal
import subprocess
from pathlib import Path

from local.part import wait_for


def end_leftover(pid_file: Path, folder: Path) -> None:
    """End the server that the file names, if it is still ours, and remove the file."""
    try:
        pid = int(pid_file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return
    end_process(pid, str(folder))
    pid_file.unlink(missing_ok=True)


def end_process(pid: int, argument: str) -> None:
    """End the process if it has this text among its arguments; return when it is gone."""
    for number, seconds in ((signal.SIGQUIT, 6.0), (signal.SIGKILL, 5.0)):
        if argument not in arguments_of(pid):
            return
        os.kill(pid, number)
        wait_for(lambda: argument not in arguments_of(pid), seconds)


def arguments_of(pid: int) -> str:
    """The process's command line; empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        pass
    if Path("/proc/self").exists():
        return ""
    ps = ["ps", "-o", "args=", "-p", str(pid)]
    return subprocess.run(ps, capture_output=True, text=True).stdout
