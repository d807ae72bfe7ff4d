"""The mails to users, as plain text. Their only secret is the link that was asked for."""

import re
from dataclasses import dataclass

_FOOT = """
If this was you, there is nothing to do.

If it was not: somebody else can get into your account. Choose a new password at once, by "Forgot
your password?" on the page where you sign in. That signs out every device.
"""


@dataclass(frozen=True)
class Message:
    subject: str
    text: str


def reset_link(username: str, link: str, minutes: int) -> Message:
    """The link is valid once, for so many minutes."""
    return Message(
        "Your new password for Space",
        f"""Hello {username},

open this link to choose a new password:

{link}

It works once, within {minutes} minutes. Choosing a new password signs out all your devices.

If you did not ask for this, leave it: your password stays as it is.
""",
    )


def password_changed(username: str) -> Message:
    return Message(
        "Your password for Space was changed",
        f"Hello {username},\n\nyour password was changed, and your other devices were signed out.\n"
        + _FOOT,
    )


def password_reset(username: str) -> Message:
    return Message(
        "You have a new password for Space",
        f"Hello {username},\n\na new password was set by a link that we sent to this address. All"
        " your devices\nwere signed out.\n" + _FOOT,
    )


def email_changed(username: str) -> Message:
    """To the old address. It does not name the new one: another person may read this mailbox."""
    return Message(
        "Your e-mail address for Space was changed",
        f"""Hello {username},

your account has another e-mail address now. We do not write to this one any more.

If this was you, there is nothing to do.

If it was not: somebody knows your password. Please write to whoever runs this Space.
""",
    )


def username_changed(username: str) -> Message:
    """`username` is the old one."""
    return Message(
        "Your user name for Space was changed",
        f"Hello {username},\n\nyour account has another user name now. You can still sign in with"
        " this e-mail address.\n" + _FOOT,
    )


def _plain(name: str) -> str:
    """Without the characters of a link: the mail's reader may not be who named the device."""
    return " ".join(re.sub(r"[^\w ()'-]", " ", name).split())


def refresh_reused(username: str, device: str) -> Message:
    return Message(
        "A device was signed out of Space",
        f"""Hello {username},

this device was signed out: {_plain(device) or "one without a name"}

What keeps it signed in was used a second time, as if somebody had copied it.

If it happens again, choose a new password: that signs out every device.
""",
    )
