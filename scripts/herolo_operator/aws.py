"""The AWS API, for what Terraform does not do. boto3 takes credentials and endpoints from where Terraform does: the
AWS_* variables and the files in ~/.aws (boto3's documentation: Guide, Configuration)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.config
import botocore.exceptions

from .console import Failure
from .environment import Environment
from .explanations import explain
from .form import setting_of

TIMEOUT = 20  # seconds, of a connection and of an answer
CONFIG = botocore.config.Config(
    connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"mode": "standard", "max_attempts": 3}
)


class Aws:
    """The AWS account of an environment, in the region of its form. Every failure of AWS within a `with` block of
    `explained` ends the command with the fix."""

    def __init__(self, environment: Environment, account: str = "") -> None:
        self.environment = environment
        self.account = account  # of the existing resources, if there are any
        self.region = setting_of(environment, "region")

    def client(self, service: str, region: str = "") -> Any:
        """A client of one AWS service, such as "rds". It fails only when it is used, unless the form has no region."""
        if not (region or self.region):
            raise Failure(f"{self.environment.shown(self.environment.form)} has no region: enter it and run this again")
        with self.explained():
            return boto3.session.Session().client(service, region_name=region or self.region, config=CONFIG)

    def identity(self) -> dict[str, str]:
        """The account and the ARN to which the credentials belong; fails if they are those of another account."""
        with self.explained():
            identity = self.client("sts").get_caller_identity()
        if self.account and identity["Account"] != self.account:
            raise Failure(explain("AWS account ID not allowed", self.environment, self.account))
        return {"account": identity["Account"], "arn": identity["Arn"]}

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turns each failure of AWS into one line with the fix."""
        try:
            yield
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            raise Failure(self._explain(error)) from error

    def _explain(self, error: Exception) -> str:
        text = f"{type(error).__name__}: {error}"
        if known := explain(text, self.environment, self.account):
            return f"{known} (AWS says: {_one_line(error)})" if "named above" in known else known
        if isinstance(error, (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError)):
            return f"AWS cannot be reached: fix the network and run this again ({_one_line(error)})"
        return f"AWS refuses that: {_one_line(error)}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
