"""The secrets of an environment: made once, kept, closed to others, and never committed."""

import base64
import re
import stat
import subprocess

import pytest
import yaml
from support.commands import REPOSITORY, operate, run, says

PASSWORDS = ("database_master_password", "database_migrate_password", "database_service_password")


class Safe:
    """An environment whose secrets are made."""

    def __init__(self, environments):
        self.variables = environments.variables
        self.form = environments.form("safe")
        self.file = environments.secrets("safe")
        self.form.write_bytes(environments.form("prod").read_bytes())
        self.make()

    def make(self):
        run(*operate("secrets", "safe"), env=self.variables)

    def read(self):
        return yaml.safe_load(self.file.read_text(encoding="utf-8"))

    def change(self, pattern, replacement):
        text, count = re.subn(pattern, replacement, self.file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert count == 1, f"{pattern} is there {count} times"
        self.file.write_text(text, encoding="utf-8")


@pytest.fixture
def safe(environments):
    """An environment whose secrets are made."""
    return Safe(environments)


def assert_right(secrets):
    """They must be what the service and the database take."""
    assert set(secrets) == {*PASSWORDS, "token_keys", "duckdns_token", "smtp_url"}
    assert all(re.fullmatch("[A-Za-z0-9]{32}", secrets[name]) for name in PASSWORDS)
    assert len({secrets[name] for name in PASSWORDS}) == 3
    name, _, key = secrets["token_keys"].partition(":")
    assert name == "k1" and len(base64.b64decode(key, validate=True)) == 32
    assert (secrets["duckdns_token"], secrets["smtp_url"]) == ("", "")


def mode_of(file):
    """The permissions of a file."""
    return stat.S_IMODE(file.stat().st_mode)


def test_secrets_are_made_as_the_service_and_the_database_take_them(safe):
    assert_right(safe.read())


def test_only_their_owner_can_read_the_secrets(safe):
    assert mode_of(safe.file) == 0o600


def test_the_secrets_are_yaml_for_ansible_with_every_value_in_quotes(safe):
    lines = [line for line in safe.file.read_text(encoding="utf-8").splitlines() if line[:1].isalpha()]
    assert len(lines) == len(safe.read()) == 6
    assert all(re.fullmatch(r'\w+: "[^"]*"', line) for line in lines)


def test_a_second_run_leaves_every_secret_as_it_is(safe):
    before = safe.file.read_bytes()
    safe.make()
    assert safe.file.read_bytes() == before


def test_a_missing_secret_is_made_again_and_the_others_are_kept(safe):
    before = safe.read()
    safe.change("^database_service_password.*\n", "")
    safe.make()
    after = safe.read()
    assert_right(after)
    name = "database_service_password"
    assert after[name] != before[name]
    assert {**after, name: ""} == {**before, name: ""}


def test_a_file_that_others_could_read_is_closed(safe):
    safe.file.chmod(0o644)
    safe.make()
    assert mode_of(safe.file) == 0o600


@pytest.mark.parametrize(
    ("name", "value", "fix"),
    [
        ("database_master_password", '"short"', "must be 32 letters and digits"),
        ("token_keys", '"k1:c2hvcnQ="', '"k1:<base64 of 32 bytes>"'),
        ("duckdns_token", '"mine"', "the token that duckdns.org shows you"),
    ],
)
def test_a_wrong_secret_is_refused(safe, name, value, fix):
    safe.change(f"^{name}: .*", f"{name}: {value}")
    says(operate("secrets", "safe"), re.escape(fix), env=safe.variables)


def test_duckdns_without_its_token_is_refused(safe):
    text = safe.form.read_text(encoding="utf-8")
    safe.form.write_text(re.sub(r"(?m)^dns_provider .*", 'dns_provider = "duckdns"', text), encoding="utf-8")
    says(operate("secrets", "safe"), "enter the token that duckdns.org shows you", env=safe.variables)


@pytest.mark.parametrize(
    "name",
    [
        *("prod.secrets.yml", "prod.tfvars", "prod.tfstate", "prod.tfplan"),
        *("prod.s3.tfbackend", ".prod/terraform.log"),
    ],
)
def test_git_ignores_all_files_of_an_environment(name):
    ignored = subprocess.run(["git", "check-ignore", "--quiet", f"environments/{name}"], cwd=REPOSITORY)
    assert ignored.returncode == 0
