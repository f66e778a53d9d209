#!/usr/bin/env python3
"""Sums up how each operation was answered, and fails if one that should have succeeded never did: a run that was only
ever refused proves nothing.

    tests/contract/tally.py openapi.json all|linked STATISTICS...

The statistics are what `hooks.py` writes. `linked` are the operations that another one's answer leads to. The last
line is the number of all answers.
"""

import collections
import json
import sys


def read(path: str) -> dict:
    """A file of JSON."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def linked(operations: list[dict]) -> set[str]:
    """The operations that the links of answers lead to."""
    answers = [answer for operation in operations for answer in operation["responses"].values()]
    return {link["operationId"] for answer in answers for link in answer.get("links", {}).values()}


def main() -> None:
    """Prints a line for each operation, and the number."""
    document, which, *paths = sys.argv[1:]
    operations = [operation for item in read(document)["paths"].values() for operation in item.values()]
    names = {operation["operationId"] for operation in operations}
    answers = {name: collections.Counter() for name in sorted(names)}
    for path in paths:
        for name, counts in read(path).items():
            answers[name].update(counts)
    for name, counts in answers.items():
        print(f"{name:20}", ", ".join(f"{status}: {count}" for status, count in sorted(counts.items())))
    expected = names if which == "all" else linked(operations)
    failed = sorted(name for name in expected if not any(status.startswith("2") for status in answers[name]))
    if failed:
        sys.exit(f"never answered with success: {', '.join(failed)}")
    print(sum(counts.total() for counts in answers.values()))


main()
