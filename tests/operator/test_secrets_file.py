"""The file of secrets."""

from __future__ import annotations

import stat

import pytest
from herolo_operator.console import Failure
from herolo_operator.environment import Environment
from herolo_operator.secrets_file import change_lines, provide_secrets, read_lines, read_secrets


def test_secrets_are_generated_for_their_owner_alone(environment: Environment) -> None:
    provide_secrets(environment)
    values = read_secrets(environment)
    assert len(values) == 6
    assert len({values[f"database_{user}_password"] for user in ("master", "migrate", "service")}) == 3
    assert stat.S_IMODE(environment.secrets.stat().st_mode) == 0o600


def test_a_second_run_changes_nothing(environment: Environment) -> None:
    provide_secrets(environment)
    before = environment.secrets.read_bytes()
    provide_secrets(environment)
    assert environment.secrets.read_bytes() == before


def test_a_missing_secret_is_generated_beside_the_others(environment: Environment) -> None:
    provide_secrets(environment)
    before = read_secrets(environment)
    lines = environment.secrets.read_text().splitlines()
    kept = [line for line in lines if not line.startswith("token_keys")]
    environment.secrets.write_text("\n".join(kept))  # without a newline at the end
    environment.secrets.chmod(0o644)
    provide_secrets(environment)
    after = read_secrets(environment)
    assert after.pop("token_keys") != before.pop("token_keys")
    assert after == before
    assert stat.S_IMODE(environment.secrets.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('database_master_password: "short"', "line 1: database_master_password must be 32 letters and digits"),
        (f"database_master_password: {'a' * 32}", "in double quotes"),
        ('token_keys: "k1:c2hvcnQ="', "k1:<base64 of 32 bytes>"),
        ('duckdns_token: "mine"', "the token that duckdns.org shows you"),
        ('smtp_url: "mail.example.com:mine"', "smtps://user:password@host"),
        ('smtp_url: "smtps://mine@mail.example.com"', "smtps://user:password@host"),
        (f' token_keys: "k1:{"A" * 43}="', "token_keys must be"),
        (f'token_keys: "k1:{"A" * 43}="\ntoken_keys: "k1:{"B" * 43}="', "given more than once"),
    ],
)
def test_an_invalid_line_is_refused_without_its_value(line: str, message: str, environment: Environment) -> None:
    environment.secrets.write_text(f"{line}\n")
    with pytest.raises(Failure, match=message) as failure:
        provide_secrets(environment)
    assert "mine" not in str(failure.value)
    assert environment.secrets.read_text() == f"{line}\n"


def test_duckdns_needs_its_token(environment: Environment) -> None:
    environment.form.write_text('dns_provider = "duckdns"\n')
    with pytest.raises(Failure, match=r"secrets.yml line \d+: enter the token that duckdns.org shows you"):
        provide_secrets(environment)


def test_a_sender_of_mails_needs_a_mail_server(environment: Environment) -> None:
    environment.form.write_text('mail_from = "herolo@example.com"\n')
    with pytest.raises(Failure, match=r"secrets.yml line \d+: enter the URL of the mail server"):
        provide_secrets(environment)
    text = environment.secrets.read_text()
    environment.secrets.write_text(text.replace('smtp_url: ""', 'smtp_url: "smtp://me:pa%20ss@mail.example.com"'))
    provide_secrets(environment)
    assert read_secrets(environment)["smtp_url"] == "smtp://me:pa%20ss@mail.example.com"


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("smtps://me:pass@mail.example.com", 465),
        ("smtp://me:pass@mail.example.com:2525", 2525),
        ("smtp://mail.example.com:2587?tls=none", 2587),
    ],
)
def test_the_firewall_opens_the_port_of_the_mail_server(environment: Environment, url: str, port: int) -> None:
    environment.form.write_text('mail_from = "herolo@example.com"\n')
    environment.secrets.write_text(f'smtp_url: "{url}"\n')
    with pytest.raises(Failure, match=rf"smtp_url is for port {port}, but smtp_port is 587: set smtp_port"):
        provide_secrets(environment)
    environment.form.write_text(f'mail_from = "herolo@example.com"\nsmtp_port = {port}\n')
    provide_secrets(environment)


def test_a_file_from_before_mails_were_sent_is_complete(environment: Environment) -> None:
    provide_secrets(environment)
    lines = environment.secrets.read_text().splitlines(keepends=True)
    environment.secrets.write_text("".join(line for line in lines if not line.startswith("smtp_url")))
    assert read_secrets(environment)["smtp_url"] == ""


def test_lines_are_replaced_added_and_removed_in_place(environment: Environment) -> None:
    provide_secrets(environment)
    before = environment.secrets.read_text()
    change_lines(environment, {"new_token_key": "k2", "token_keys": f"k1:{'A' * 43}="})
    lines = read_lines(environment)
    assert (lines["new_token_key"], lines["token_keys"]) == ("k2", f"k1:{'A' * 43}=")
    assert len(environment.secrets.read_text().splitlines()) == len(before.splitlines()) + 1
    change_lines(environment, {"new_token_key": None})
    assert "new_token_key" not in read_lines(environment)
    assert [line.split(":")[0] for line in environment.secrets.read_text().splitlines()] == [
        line.split(":")[0] for line in before.splitlines()
    ]
    assert stat.S_IMODE(environment.secrets.stat().st_mode) == 0o600


def test_something_else_in_its_place_is_refused(environment: Environment) -> None:
    environment.secrets.symlink_to("/nonexistent")
    with pytest.raises(Failure, match="is not a file of yours"):
        provide_secrets(environment)
