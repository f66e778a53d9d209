"""The form of an environment: every wrong answer is refused by its line, with what to type instead."""

import collections
import functools
import pathlib
import re

import pytest
from infra.environments import Environments
from support.commands import REPOSITORY, attempt, errors_of, operate, says

WRONG = [
    ("domain", '"https://herolo.example.com"', "no https://"),
    ("domain", '"Herolo.example.com"', "in lower case"),
    ("domain", '"localhost"', 'such as "herolo.example.com"'),
    ("domain", "herolo.example.com", "put the value in double quotes"),
    ("region", '"Frankfurt"', 'such as "eu-central-1"'),
    ("region", '"eu-central-1a"', 'such as "eu-central-1"'),
    ("dns_provider", '"cloudflare"', '"route53", "duckdns" or "none"'),
    ("dns_provider", '"duckdns"', "yourname.duckdns.org"),
    ("route53_zone", '"example.org"', 'for "herolo.example.com" that is "example.com"'),
    ("route53_zone", '"example.com."', "without a dot at the end"),
    ("acme_email", '""', "an e-mail address that you read"),
    ("acme_email", '"ops"', "an e-mail address that you read"),
    ("acme_authority", '"letsencrypt"', '"production", "staging" or the https:// address'),
    ("acme_authority", '"http://acme.example.com/dir"', "the https:// address"),
    ("hosts", "0", "from 1 to 6"),
    ("hosts", "7", "from 1 to 6"),
    ("hosts", "1.5", "a whole number"),
    ("hosts", '"two"', "number"),
    ("replicas", "1", "from 2 to 10"),
    ("replicas", "11", "from 2 to 10"),
    ("replicas", "2.5", "a whole number"),
    ("replicas", '"many"', "number"),
    ("instance_type", '"t4g.small"', "Intel or AMD"),
    ("instance_type", '"t2.micro"', "a current instance type"),
    ("instance_type", '"small"', 'such as "t3.small"'),
    ("disk_gib", "5", "from 10 to 1000"),
    ("database_class", '"t4g.small"', 'begins with "db."'),
    ("database_storage_gib", "10", "from 20 to 32768"),
    ("database_multi_az", '"perhaps"', "bool"),
    ("service_settings", '{ LIMIT_SENDS = "600" }', 'such as HEROLO_LIMIT_SENDS = "600"'),
    ("service_settings", '{ herolo_limit_sends = "600" }', 'such as HEROLO_LIMIT_SENDS = "600"'),
    ("service_settings", '{ HEROLO_TOKEN_KEYS = "k1:x" }', "Remove HEROLO_TOKEN_KEYS: secrets have no place"),
    ("service_settings", '{ HEROLO_SMTP_URL = "smtps://h" }', "Remove HEROLO_SMTP_URL: secrets have no place"),
    ("service_settings", '{ HEROLO_LIMIT_SENDS_FILE = "/x" }', "Remove HEROLO_LIMIT_SENDS_FILE: secrets have no place"),
    ("service_settings", "{ HEROLO_PORT = 80, HEROLO_WORKERS = 2 }", "Remove HEROLO_PORT: Traefik relies on"),
    ("service_settings", "{ HEROLO_LIMIT_SENDS = null }", "each value in double quotes"),
    ("service_settings", '{ HEROLO_CORS_ORIGINS = "a\\nb" }', "on one line"),
    ("service_settings", '"HEROLO_LIMIT_SENDS=600"', "map of string"),
    ("service_settings", '{ HEROLO_SIGN_UPS = "closed" }', "sign_ups is a line of its own"),
    ("sign_ups", '"friends"', '"open", "invited" or "closed"'),
    ("service_settings", '{ HEROLO_MAIL_FROM = "a@example.com" }', "mail_from is a line of its own"),
    ("service_settings", '{ HEROLO_PUBLIC_URL = "https://a.example.com" }', "Remove HEROLO_PUBLIC_URL: "),
    ("mail_from", '"Herolo"', 'such as "Herolo <herolo@example.com>"'),
    ("mail_from", '"a@example.com, b@example.com"', 'or "" for none'),
    ("smtp_port", "25", "AWS blocks port 25"),
    ("smtp_port", "587.5", "587, 465"),
    ("ssh_cidrs", "[]", "at least one network"),
    ("ssh_cidrs", '["0.0.0.0/0"]', "not opened to everybody"),
    ("ssh_cidrs", '["203.0.113.7/32", "0.0.0.0/1"]', "nor to anything wider than /8"),
    ("ssh_cidrs", '["::/0"]', "no IPv6 address"),
    ("ssh_cidrs", '["203.0.113.7"]', "with their length"),
    ("ssh_cidrs", '["203.0.113.7/24"]', "by its first address"),
    ("ssh_public_key", '"-----BEGIN OPENSSH PRIVATE KEY-----"', "Never the private key"),
    ("ssh_public_key", '"ssh-ed25519 AAAA... you@example.com"', "the one line of a public key file"),
    (
        "ssh_public_key",
        '"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBA"',
        "EC2 knows ssh-ed25519 and ssh-rsa",
    ),
    ("alarm_email", '"none"', 'or "" for none'),
    ("alarm_webhook", '"http://alarms.example.com"', "Type an https:// URL"),
    (
        "alarm_webhook",
        '"https://hooks.slack.com/services/T0/B0/x"',
        "set alarm_email to the e-mail address of a channel",
    ),
    ("alarm_webhook", '"https://discord.com/api/webhooks/1/x"', "do not confirm the subscriptions of Amazon SNS"),
    ("alarm_webhook", '"https://herolo.webhook.office.com/x"', "do not confirm the subscriptions of Amazon SNS"),
    ("logs", '"s3"', 'Type "host" or "cloudwatch"'),
    ("log_days", "31", "such as 7, 14, 30"),
    ("protect", '"maybe"', "bool"),
    ("backup_days", "0", "from 1 to 35"),
    ("backup_region", '"ireland"', "the code of another AWS region"),
    ("backup_region", '"eu-central-1"', "the code of another AWS region"),
    ("replica", "3", 'there is no setting "replica"'),
]

# Terraform reads a form, converts its values, judges each by itself, and then some by others. What fails ends it.
UNREADABLE = ("put the value in double quotes",)
OF_ANOTHER_TYPE = ("number", "bool", "map of string")
JUDGED_BY_OTHERS = ("dns_provider", "route53_zone", "backup_region")


@pytest.fixture
def wrong(environments):
    """A form that begins as a copy of the right one."""
    form = environments.form("wrong")
    form.write_text(environments.form("prod").read_text(encoding="utf-8"), encoding="utf-8")
    return form


@pytest.mark.parametrize("name", ["prod", "trial"])
def test_a_right_form_is_accepted_in_silence(environments, name):
    done = attempt(*operate("form", name), env=environments.variables)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def rounds_of(wrong: list[tuple[str, str, str]]) -> list[list[tuple[str, str, str]]]:
    """The answers in few forms, each of which has one of each setting, since all faults of a form that are found at the
    same step are told at once."""
    rounds: dict[tuple, list[tuple[str, str, str]]] = collections.defaultdict(list)
    numbers: collections.Counter[tuple] = collections.Counter()
    for setting, value, fix in wrong:
        step = fix in UNREADABLE, fix in OF_ANOTHER_TYPE, setting in JUDGED_BY_OTHERS
        rounds[*step, numbers[*step, setting]].append((setting, value, fix))
        numbers[*step, setting] += 1
    return list(rounds.values())


ROUNDS = rounds_of(WRONG)


@pytest.fixture(scope="module")
def judged(tmp_path_factory, key):
    """What is said of the form of a round, by the line and the fix of each answer."""
    environments = Environments(tmp_path_factory.mktemp("forms") / "environments", key)

    @functools.cache
    def judge(number: int) -> tuple[list[str], list[str]]:
        lines = form_of(environments.form("prod"), ROUNDS[number])
        environments.form("wrong").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return lines, errors_of(*operate("form", "wrong"), env=environments.variables)

    return judge


def form_of(right: pathlib.Path, wrong: list[tuple[str, str, str]]) -> list[str]:
    """The lines of a form with these answers instead of the right ones."""
    settings = {setting for setting, *_ in wrong}
    text = right.read_text(encoding="utf-8")
    if "service_settings" in settings:
        text = re.sub(r"(?ms)^service_settings = \{$.*?^\}$\n", "", text)
    kept = [line for line in text.splitlines() if line.partition("=")[0].strip() not in settings]
    return [*kept, *(f"{setting} = {value}" for setting, value, _ in wrong)]


@pytest.mark.parametrize(
    ("number", "answer"),
    [(number, answer) for number, answers in enumerate(ROUNDS) for answer in answers],
    ids=[f"{name} = {value}" for answers in ROUNDS for name, value, _ in answers],
)
def test_a_wrong_answer_is_refused_by_its_line_and_its_fix(judged, number, answer):
    setting, value, fix = answer
    lines, errors = judged(number)
    place = f"environments/wrong.tfvars line {lines.index(f'{setting} = {value}') + 1}: "
    told = [error for error in errors if place in error and fix in error]
    assert len(told) == 1, "\n".join(errors)


@pytest.mark.parametrize("number", range(len(ROUNDS)))
def test_nothing_is_told_but_the_wrong_answers(judged, number):
    lines, errors = judged(number)
    numbers = [lines.index(f"{setting} = {value}") + 1 for setting, value, _ in ROUNDS[number]]
    places = [f"environments/wrong.tfvars line {line}: " for line in numbers]
    assert all(any(place in error for place in places) for error in errors), "\n".join(errors)


def test_a_missing_line_is_named(environments, wrong):
    text = re.sub("^acme_email.*\n", "", wrong.read_text(encoding="utf-8"), flags=re.MULTILINE)
    wrong.write_text(text, encoding="utf-8")
    says(operate("form", "wrong"), r"a line is missing: acme_email = \.\.\.", env=environments.variables)


def test_the_example_as_it_is_is_refused_for_its_key(environments, wrong):
    wrong.write_bytes((REPOSITORY / "environments/example.tfvars").read_bytes())
    says(operate("form", "wrong"), "the one line of a public key file", env=environments.variables)


def test_the_example_of_a_trial_is_right_but_for_its_key(environments, wrong):
    text = (REPOSITORY / "environments/example-trial.tfvars").read_text(encoding="utf-8")
    key = environments.key.with_suffix(".pub").read_text(encoding="utf-8").strip()
    text, count = re.subn(r'"ssh-ed25519 AAAA\.\.\. .*?"', f'"{key}"', text)
    wrong.write_text(text, encoding="utf-8")
    done = attempt(*operate("form", "wrong"), env=environments.variables)
    assert (count, done.returncode, done.stdout + done.stderr) == (1, 0, "")


def test_two_faults_are_told_at_once(environments, wrong):
    trial = environments.form("trial").read_text(encoding="utf-8")
    wrong.write_text(f"{trial}replicas = 1\nbackup_days = 99\n", encoding="utf-8")
    says(operate("form", "wrong"), "from 2 to 10", env=environments.variables)
    says(operate("form", "wrong"), "from 1 to 35", env=environments.variables)


def test_a_form_that_is_not_there_is_to_be_copied_from_the_example(environments):
    fix = r"cp environments/example\.tfvars environments/staging\.tfvars"
    says(operate("form", "staging"), fix, env=environments.variables)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["../prod"], id="a path"),
        pytest.param([], id="none"),
        pytest.param(["example"], id="the example"),
        pytest.param(["example-trial"], id="the example of a trial"),
    ],
)
def test_a_name_that_is_none_is_refused_with_one_that_is(environments, names):
    says(operate("form", *names), "such as prod", env=environments.variables)
