"""The service's settings in the form, and the release that judges them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from herolo_operator import service_settings
from herolo_operator.console import Failure
from herolo_operator.environment import Environment
from herolo_operator.process import Result
from herolo_operator.service_settings import check_settings

# Has every image whose name contains "here", and says what the service would say of settings; BROKEN does not start.
DOCKER = """#!/bin/sh
[ "$1 $2" = "image inspect" ] && case $3 in *here*) exit 0 ;; *) exit 1 ;; esac
printf '%s\\n' "$*" >>"$RECORD"
case "$*" in
  *BROKEN*) echo "docker: no such platform" >&2; exit 125 ;;
  *HEROLO_LIMIT_SENSD=*) echo "herolo: HEROLO_LIMIT_SENSD: is not a setting (in the environment); the settings are X" ;;
  *HEROLO_WORKERS=0*) echo "herolo: HEROLO_WORKERS: must be a whole number from 1 to 256" ;;
  *HEROLO_DATABASE_URL=mysql*) echo "herolo: no database at 127.0.0.1:9 within 0 s: no response" ;;
  *) echo "herolo: HEROLO_DATABASE_URL: is not set" ;;
esac >&2
exit 1
"""

FORM = """\
domain = "herolo.example.com" # HEROLO_WORKERS is below
service_settings = {
  HEROLO_LIMIT_SENSD = "600"
  HEROLO_WORKERS     = "0"
}
"""


@pytest.fixture(autouse=True)
def record(stand_in: Callable[[str, str], Path], environment: Environment) -> Path:
    """The arguments of each container."""
    environment.form.write_text(FORM, encoding="utf-8")
    return stand_in("docker", DOCKER)


def test_settings_that_the_release_accepts_pass(environment: Environment, record: Path) -> None:
    check_settings({"HEROLO_LIMIT_SENDS": "600"}, "herolo:here", environment, lambda: None)
    assert "--network none" in record.read_text() and "herolo:here migrate --wait 0" in record.read_text()


def test_every_fault_is_told_by_its_line_of_the_form(environment: Environment) -> None:
    settings = {"HEROLO_LIMIT_SENSD": "600", "HEROLO_WORKERS": "0", "HEROLO_LIMIT_SENDS": "600"}
    with pytest.raises(Failure) as failure:
        check_settings(settings, "herolo:here", environment, lambda: None)
    assert str(failure.value).split("\nerror: ") == [
        "environments/prod.tfvars line 3: HEROLO_LIMIT_SENSD is not a setting; the settings are X",
        "environments/prod.tfvars line 4: HEROLO_WORKERS must be a whole number from 1 to 256",
    ]


def test_without_settings_nothing_is_started(environment: Environment, record: Path) -> None:
    check_settings({}, "herolo:here", environment, lambda: None)
    assert not record.exists()


def test_an_image_that_does_not_start_is_a_fault_of_the_image(environment: Environment) -> None:
    with pytest.raises(Failure, match=r"herolo:here-BROKEN does not start.*no such platform"):
        check_settings({"HEROLO_LIMIT_SENDS": "600"}, "herolo:here-BROKEN", environment, lambda: None)


def test_an_image_that_only_the_host_has_is_asked_there(environment: Environment) -> None:
    class Host:
        def read(self, script: str) -> Result:
            assert "--env 'HEROLO_CORS_ORIGINS=a b' herolo:old migrate" in script
            return Result(1, "herolo: HEROLO_CORS_ORIGINS: is not a setting")

    with pytest.raises(Failure, match="line 2: HEROLO_CORS_ORIGINS is not a setting"):
        check_settings({"HEROLO_CORS_ORIGINS": "a b"}, "herolo:old", environment, Host)  # type: ignore[arg-type]


def test_numbers_and_booleans_are_text_as_terraform_makes_it(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"service_settings": {"HEROLO_WORKERS": 2, "HEROLO_DOCS_PAGE": False, "HEROLO_CORS_ORIGINS": "all"}}
    monkeypatch.setattr(service_settings, "read_values", lambda _: values)
    assert service_settings.read_settings(environment) == {
        "HEROLO_WORKERS": "2",
        "HEROLO_DOCS_PAGE": "false",
        "HEROLO_CORS_ORIGINS": "all",
    }


def test_sign_ups_are_a_setting_unless_they_are_open(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    environment.form.write_text('sign_ups = "closed"\n', encoding="utf-8")
    for policy, expected in (("open", {}), ("closed", {"HEROLO_SIGN_UPS": "closed"})):
        values = {"service_settings": {}, "sign_ups": policy}
        monkeypatch.setattr(service_settings, "read_values", lambda _, values=values: values)
        assert service_settings.read_settings(environment) == expected


def test_the_sender_of_mails_is_a_setting_and_is_judged_with_a_mail_server(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Host:
        def read(self, script: str) -> Result:
            assert "HEROLO_SMTP_URL=smtp://" in script
            return Result(1, "herolo: HEROLO_MAIL_FROM: is not an address")

    environment.form.write_text('mail_from = "@"\n', encoding="utf-8")
    monkeypatch.setattr(service_settings, "read_values", lambda _: {"service_settings": {}, "mail_from": "@"})
    settings = service_settings.read_settings(environment)
    assert settings == {"HEROLO_MAIL_FROM": "@"}
    with pytest.raises(Failure, match="line 1: HEROLO_MAIL_FROM is not an address"):
        check_settings(settings, "herolo:old", environment, Host)  # type: ignore[arg-type]


def test_a_release_that_does_not_know_sign_ups_is_told_by_their_line(environment: Environment) -> None:
    class Host:
        def read(self, script: str) -> Result:
            return Result(1, "herolo: HEROLO_SIGN_UPS: is not a setting")

    environment.form.write_text('domain = "herolo.example.com"\nsign_ups = "closed"\n', encoding="utf-8")
    with pytest.raises(Failure, match="line 2: HEROLO_SIGN_UPS is not a setting"):
        check_settings({"HEROLO_SIGN_UPS": "closed"}, "herolo:old", environment, Host)  # type: ignore[arg-type]


def test_a_form_without_settings_is_not_planned(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_settings, "read_values", lambda _: pytest.fail("it was planned"))
    environment.form.write_text('domain = "herolo.example.com"\n', encoding="utf-8")
    assert service_settings.read_settings(environment) == {}
