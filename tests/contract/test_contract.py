"""Each response of the service is one that its OpenAPI document describes.

Requests are random, valid and invalid. A failure is a response that the document does not describe, any 5xx, or an
operation that never succeeded: a run that is only ever refused proves nothing. `hooks.py` has what Schemathesis cannot
know of the service.
"""

from __future__ import annotations

import pytest
from contract.fuzzer import Answers, linked_operations
from support.services import Service


def check(answers: Answers) -> None:
    """Fails with the report of Schemathesis if it has found a difference."""
    if not answers.is_as_documented:
        pytest.fail(f"the service and its document differ:\n{answers.report}", pytrace=False)


def test_single_requests_are_answered_as_documented(single: Answers) -> None:
    """The document's examples, the limits of each value, and random values."""
    check(single)


def test_requests_in_series_are_answered_as_documented(series: Answers) -> None:
    """A value of one response leads to the next request."""
    check(series)


def test_each_operation_succeeds_in_a_single_request(single: Answers, operations: list[dict]) -> None:
    """At least once."""
    assert operations
    assert {operation["operationId"] for operation in operations} - single.succeeded() == set()


def test_each_linked_operation_succeeds_in_a_series(series: Answers, service: Service) -> None:
    """At least once."""
    linked = linked_operations(service.openapi_document())
    assert linked
    assert linked - series.succeeded() == set()
