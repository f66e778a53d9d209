"""The form and the secrets name a mail server, and a user who has forgotten the password gets a new one."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from rehearsal.mail_server import MailServer
from rehearsal.world import Account, World

SENDER = "no-reply@example.com"
NEW_PASSWORD = f"another pass phrase {secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def mail_server(world: World) -> Iterator[MailServer]:
    """A mail server that the hosts can reach, but that is away."""
    server = MailServer(*world.parts.private_network())
    yield server
    server.stop()


@pytest.fixture(scope="module")
def carol(world: World) -> Account:
    """A user with an e-mail address, from before mails were sent."""
    return world.sign_up("carol")


def text_of(mail: EmailMessage) -> str:
    """The plain text."""
    part = mail.get_body(("plain",))
    assert part
    return part.get_content()


def test_without_a_mail_server_a_new_password_cannot_be_requested(world: World, carol: Account) -> None:
    refused = world.request("POST", "/password-resets", {"account": carol.name})
    assert (refused.status, refused.json()["type"].rpartition(":")[2]) == (403, "mail-off"), refused


def test_a_port_that_the_firewall_would_not_open_is_refused(world: World, mail_server: MailServer) -> None:
    world.edit(world.form, mail_from=f"Herolo <{SENDER}>")
    world.edit(world.secrets, smtp_url=mail_server.url)
    assert world.deploy(world.release).refuses(f"set smtp_port = {mail_server.port} in ")


@pytest.mark.prerequisite
def test_deploy_sets_it_without_a_failed_request(world: World, mail_server: MailServer, show) -> None:
    world.edit(world.form, smtp_port=mail_server.port)
    with world.under_load() as counts:
        said = world.deploy(world.release)
    show(counts)
    assert said.succeeded
    assert counts.show_no_loss(), counts


@pytest.mark.prerequisite
def test_a_request_is_answered_although_the_mail_server_is_away(
    world: World, mail_server: MailServer, carol: Account
) -> None:
    assert world.request("POST", "/password-resets", {"account": carol.name}).status == 202
    assert world.log_in(carol.name).status == 201


def test_once_it_is_there_the_mail_arrives_and_its_code_sets_a_password(
    world: World, mail_server: MailServer, carol: Account, show
) -> None:
    mail_server.start()
    mail = mail_server.await_mail(f"{carol.name}@example.com", "Your password at")
    show(f"'{mail['Subject']}' to {mail['To']}")
    assert mail["From"] == f"Herolo <{SENDER}>"
    found = re.search(rf"^https://{re.escape(world.domain)}/#/forgotten/(\S+)\s*$", text_of(mail), re.MULTILINE)
    assert found, text_of(mail)
    completed = world.request("POST", "/password-resets/completion", {"code": found[1], "new_password": NEW_PASSWORD})
    assert completed.json() == {"username": carol.name}, completed
    assert world.log_in(carol.name).status == 401
    assert world.request("POST", f"/users/{carol.name}/token", {"password": NEW_PASSWORD}).status == 201
    assert world.request("GET", f"/users/{carol.name}/messages", token=carol.token).status == 401
    notice = mail_server.await_mail(f"{carol.name}@example.com", "Your password was changed")
    assert found[1] not in text_of(notice)
    assert len(mail_server.mails_to(f"{carol.name}@example.com")) == 2
