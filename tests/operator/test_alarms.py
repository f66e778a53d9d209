"""Whether alarms reach the operator, with a stand-in of SNS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import moto
import pytest
from herolo_operator.alarms import show_alarms
from herolo_operator.aws import Aws
from herolo_operator.checks import Known
from herolo_operator.checks_aws import AccountChecks
from herolo_operator.console import Failure
from herolo_operator.environment import Environment, Options
from herolo_operator.status import is_fault
from moto.sns.models import Subscription

REGION, OUTSIDE = "eu-central-1", "us-east-1"
EMAIL, WEBHOOK = "ops@example.com", "https://alarms.example.com/key/123"
BOTH = f'alarm_email = "{EMAIL}"\nalarm_webhook = "{WEBHOOK}"\n'
WAYS = {"email": EMAIL, "https": WEBHOOK}


@pytest.fixture
def aws(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """An account without topics, and a form with both receivers."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    environment.form.write_text(f'region = "{REGION}"\n{BOTH}', encoding="utf-8")
    with moto.mock_aws():
        yield Aws(environment)


@pytest.fixture
def pending(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The protocols whose subscriptions are not confirmed; moto takes all for confirmed."""
    protocols: set[str] = set()

    def arn(subscription: Any) -> str:
        return "PendingConfirmation" if subscription.protocol in protocols else vars(subscription)["arn"]

    def keep(subscription: Any, value: str) -> None:
        vars(subscription)["arn"] = value

    monkeypatch.setattr(Subscription, "arn", property(arn, keep), raising=False)
    return protocols


def subscribe(region: str, topic: str, **ways: str) -> None:
    sns = boto3.client("sns", region_name=region)
    arn = sns.create_topic(Name=topic)["TopicArn"]
    for protocol, endpoint in ways.items():
        sns.subscribe(TopicArn=arn, Protocol=protocol, Endpoint=endpoint)


def subscribe_all(**ways: str) -> None:
    subscribe(REGION, "herolo-prod-alarms", **ways)
    subscribe(OUTSIDE, "herolo-prod-https", **ways)


def test_a_confirmed_receiver_is_shown_without_the_key_in_its_url(aws: Aws) -> None:
    subscribe_all(**WAYS)
    assert show_alarms(aws) == [("email", "confirmed", EMAIL), ("webhook", "confirmed", "alarms.example.com")]


def test_a_webhook_that_does_not_confirm_is_a_fault_with_the_fix(aws: Aws, pending: set[str]) -> None:
    pending.add("https")
    subscribe_all(**WAYS)
    email, webhook = show_alarms(aws)
    assert email[1] == "confirmed" and is_fault(webhook)
    assert webhook[:2] == ("webhook", "NOT CONFIRMED")
    assert "alarms.example.com open the SubscribeURL" in webhook[2] and f"for {REGION} and {OUTSIDE};" in webhook[2]
    assert "123" not in webhook[2]


def test_an_address_has_to_confirm_in_both_regions(aws: Aws, pending: set[str]) -> None:
    subscribe(REGION, "herolo-prod-alarms", **WAYS)
    assert [row[1] for row in show_alarms(aws)] == ["NOT SUBSCRIBED"] * 2
    pending.add("email")
    subscribe(OUTSIDE, "herolo-prod-https", **WAYS)
    email, webhook = show_alarms(aws)
    assert email[:2] == ("email", "NOT CONFIRMED") and webhook[1] == "confirmed"
    assert f"the link in the e-mail that AWS has sent to {EMAIL} for" in email[2]


def test_a_subscription_that_aws_has_removed_is_made_by_the_next_deployment(aws: Aws) -> None:
    subscribe_all(email=EMAIL)
    email, webhook = show_alarms(aws)
    assert email[1] == "confirmed" and webhook[:2] == ("webhook", "NOT SUBSCRIBED")
    assert webhook[2].endswith("'make deploy ENV=prod' makes it")


def test_topics_of_other_environments_and_other_receivers_do_not_count(aws: Aws) -> None:
    for topic in ("herolo-prod-eu-alarms", "xherolo-prod-alarms"):
        subscribe(REGION, topic, **WAYS)
    subscribe_all(email="else@example.com", https=WEBHOOK)
    assert [row[1] for row in show_alarms(aws)] == ["NOT SUBSCRIBED", "confirmed"]


def test_more_subscriptions_than_a_page_holds_are_all_read(aws: Aws) -> None:
    subscribe(REGION, "others", email="a@example.com")
    topic = boto3.client("sns", region_name=REGION).create_topic(Name="others")["TopicArn"]
    for number in range(120):
        boto3.client("sns", region_name=REGION).subscribe(TopicArn=topic, Protocol="email", Endpoint=f"{number}@x.org")
    subscribe_all(**WAYS)
    assert [row[1] for row in show_alarms(aws)] == ["confirmed"] * 2


def test_without_a_receiver_alarms_are_not_sent_and_aws_is_not_asked(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Aws, "client", lambda *_: pytest.fail("AWS was asked"))
    (row,) = show_alarms(Aws(environment))
    assert row[:2] == ("alarms", "not sent") and not is_fault(row)


def test_a_refusal_of_aws_is_not_a_fault_of_the_receivers(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise Failure("not permitted")

    monkeypatch.setattr(Aws, "client", refuse)
    assert show_alarms(aws) == [("email", "not known", "not permitted"), ("webhook", "not known", "not permitted")]


def test_the_doctor_warns_and_stops_no_deployment(aws: Aws, pending: set[str]) -> None:
    pending.add("https")
    subscribe_all(https=WEBHOOK)
    checks = AccountChecks(Known(aws.environment, Options(), "123456789012", {}))
    assert [(row[0], row[1]) for row in checks.check_alarms()] == [("email", "WARNING"), ("webhook", "WARNING")]
