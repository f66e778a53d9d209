"""A mail server for a rehearsed deployment, which keeps what it gets in memory."""

from __future__ import annotations

import email
import email.policy
import socket
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from rehearsal.processes import wait_until
from rehearsal.relay import Relay

ARRIVAL = 300  # seconds: the service waits longer after each attempt that failed


class MailServer:
    """A real SMTP server, without TLS. The hosts reach it from the beginning, and are refused until it is started."""

    def __init__(self, gateway: str, network: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._relay = Relay(gateway, network, port)
        self._relay.start()
        self._received: list[EmailMessage] = []
        self._controller = Controller(self, hostname="127.0.0.1", port=port)

    @property
    def port(self) -> int:
        """The port that the firewall must open."""
        return self._relay.server_address[1]

    @property
    def url(self) -> str:
        """What the operator enters."""
        return f"smtp://{self._relay.server_address[0]}:{self.port}?tls=none"

    def start(self) -> None:
        """Accepts mails from now on."""
        self._controller.start()

    def stop(self) -> None:
        """Ends it. Later connections are refused."""
        if self._controller.server:
            self._controller.stop()
        self._relay.shutdown()
        self._relay.server_close()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Accepts a mail: aiosmtpd calls it."""
        content = envelope.original_content
        assert content
        self._received.append(email.message_from_bytes(content, policy=email.policy.default))
        return "250 2.0.0 Ok"

    def mails_to(self, address: str) -> list[EmailMessage]:
        """All mails to an address, in the order of their arrival."""
        return [mail for mail in list(self._received) if mail["To"] == address]

    def await_mail(self, address: str, subject: str) -> EmailMessage:
        """The first mail to that address whose subject contains those words, as soon as it arrives."""

        def found() -> list[EmailMessage]:
            return [mail for mail in self.mails_to(address) if subject in mail["Subject"]]

        wait_until(lambda: bool(found()), f"a mail '{subject}' for {address} arrives", ARRIVAL)
        return found()[0]
