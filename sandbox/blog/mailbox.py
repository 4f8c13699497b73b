"""The mail that the site sent: files that Django's file backend writes, newest first."""

import email
import email.policy
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

# Django's file backend ends each message with this line.
SEPARATOR = b"-" * 79 + b"\n"


@dataclass(frozen=True)
class Mail:
    """One sent message; `name` is its stable address on the mail page."""

    name: str
    subject: str
    to: str
    date: str
    text: str


def mails(folder: Path) -> list[Mail]:
    """Return every mail in the folder, the newest first."""
    files = sorted(folder.glob("*.log"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
    return [mail for file in files for mail in reversed(_mails_of(file))]


def mail_of(folder: Path, name: str) -> Mail | None:
    return next((mail for mail in mails(folder) if mail.name == name), None)


def _mails_of(file: Path) -> list[Mail]:
    # The file ends with a separator, unless a message is being written just now.
    complete = file.read_bytes().split(SEPARATOR)[:-1]
    return [_parsed(raw, f"{file.stem}-{number}") for number, raw in enumerate(complete)]


def _parsed(raw: bytes, name: str) -> Mail:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage), "the default policy makes EmailMessage"
    body = message.get_body(preferencelist=("plain", "html"))
    return Mail(
        name=name,
        subject=str(message["subject"] or "(no subject)"),
        to=str(message["to"] or ""),
        date=str(message["date"] or ""),
        text=body.get_content() if body is not None else "",
    )
