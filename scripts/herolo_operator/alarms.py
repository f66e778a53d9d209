"""Whether alarms reach the operator: SNS sends nothing to a receiver that has not confirmed its subscription."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from .aws import Aws
from .console import Failure
from .form import setting_of

Row = tuple[str, str, str]

OUTSIDE = "us-east-1"  # the region of the alarm of HTTPS (infra/outside.tf)
PENDING = "PendingConfirmation"  # in place of the ARN of a subscription
TO_DO = {
    "email": "open the link in the e-mail that AWS has sent to {receiver} for {regions}",
    "webhook": "let {receiver} open the SubscribeURL that AWS has posted to it for {regions}",
}
AGAIN = "'Alarms' in docs/operate.md has the command that repeats the request"
MISSING = (
    "{receiver} has no subscription in {regions} (AWS removes one that is not confirmed in time): "
    "'make deploy ENV={name}' makes it"
)

Subscriptions = dict[tuple[str, str], bool]  # by protocol and endpoint: whether it is confirmed


def show_alarms(aws: Aws) -> list[Row]:
    """Rows of the status: one for each receiver in the form, or one that says that there is none."""
    form = aws.environment
    receivers = [
        ("email", "email", setting_of(form, "alarm_email")),
        ("webhook", "https", setting_of(form, "alarm_webhook")),
    ]
    wanted = [receiver for receiver in receivers if receiver[2]]
    if not wanted:
        return [("alarms", "not sent", f"{form.shown(form.form)} has neither alarm_email nor alarm_webhook")]
    try:
        found = _find_subscriptions(aws)
    except Failure as failure:
        return [(name, "not known", str(failure)) for name, _, _ in wanted]
    return [_judge(name, (protocol, endpoint), found, form.name) for name, protocol, endpoint in wanted]


def _find_subscriptions(aws: Aws) -> list[tuple[str, Subscriptions]]:
    """Those of each topic, with its region."""
    name = f"herolo-{aws.environment.name}"
    return [
        (region, _list_subscriptions(aws, region, topic))
        for region, topic in ((aws.region, f"{name}-alarms"), (OUTSIDE, f"{name}-https"))
    ]


def _list_subscriptions(aws: Aws, region: str, topic: str) -> Subscriptions:
    with aws.explained():
        pages = aws.client("sns", region).get_paginator("list_subscriptions").paginate()
        found: list[dict[str, Any]] = [each for page in pages for each in page["Subscriptions"]]
    return {
        (each["Protocol"], each["Endpoint"]): each["SubscriptionArn"] != PENDING
        for each in found
        if each["TopicArn"].rpartition(":")[2] == topic
    }


def _judge(name: str, key: tuple[str, str], found: Sequence[tuple[str, Subscriptions]], environment: str) -> Row:
    receiver = _shown(key[1])
    missing = [region for region, subscriptions in found if key not in subscriptions]
    pending = [region for region, subscriptions in found if subscriptions.get(key) is False]
    if missing:
        details = MISSING.format(receiver=receiver, regions=" and ".join(missing), name=environment)
        return (name, "NOT SUBSCRIBED", details)
    if pending:
        details = f"{TO_DO[name].format(receiver=receiver, regions=' and '.join(pending))}; {AGAIN}"
        return (name, "NOT CONFIRMED", details)
    return (name, "confirmed", receiver)


def _shown(endpoint: str) -> str:
    """Without the path of a URL, which may contain a key."""
    return urlsplit(endpoint).hostname or endpoint
