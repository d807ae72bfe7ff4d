"""Becomes a program that cannot outlive the process which started it.

    python -I -S guard.py PARENT SIGNAL IDENTITY COMMAND...

The kernel sends SIGNAL to COMMAND when PARENT dies, in whatever way (Linux; elsewhere the next run
ends the processes that were left over). This is a program of its own, run between fork and exec,
because the order matters: a change of credentials clears the request, so it is made after that.

IDENTITY is the user that the program runs as, since PostgreSQL refuses to run as root:
    self        the same user
    namespace   root, seen as nobody inside a user namespace: it still owns its files
    nobody      nobody, for real
"""

import contextlib
import ctypes
import os
import sys
from pathlib import Path

NOBODY = 65534
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1


def enter_namespace() -> None:
    """Be nobody in a user namespace of our own, and the same user as before outside of it."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are not allowed here")
    with contextlib.suppress(FileNotFoundError):  # kernels before 3.19
        Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1")


def become_nobody() -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def die_with(parent: int, signal: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # it died before we asked
        sys.exit(1)


def main(parent: str, signal: str, identity: str, *command: str) -> None:
    if identity == "namespace":
        enter_namespace()
    elif identity == "nobody":
        become_nobody()
    die_with(int(parent), int(signal))
    os.execv(command[0], command)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit(f"{sys.argv[4]}: {error.strerror or error}")
