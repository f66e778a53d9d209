"""The results that are kept between runs, so that the matrix can be measured in parts.

They are a document in JSON: for each fault, by its name in the settings, the row, and the circumstances of the run that
injected it. A result stays until the same fault is injected again.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any, TypeVar

from endure.circumstances import Circumstances
from endure.report import Result, Row
from endure.timeline import Timeline
from endure.usage import Usage

Kind = TypeVar("Kind")


class Results:
    """The file with the results of the faults, of which each has one at most."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def load(self) -> dict[str, Result]:
        """All results, by the names of the faults."""
        return {
            name: Result(read_row(kept["row"]), known(Circumstances, kept["circumstances"]))
            for name, kept in self._read().items()
        }

    def keep(self, name: str, result: Result) -> None:
        """Writes a result at once, and replaces an older one of the same fault. Others stay as they are."""
        results = {**self._read(), name: dataclasses.asdict(result)}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(results, separators=(",", ":")) + "\n", encoding="utf-8")
        os.replace(new, self.file)  # an interruption leaves the old file or the new one

    def _read(self) -> dict[str, Any]:
        try:
            return json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as fault:
            raise SystemExit(f"error: {self.file} is not JSON ({fault}): move it away and run this again") from fault


def read_row(fields: dict[str, Any]) -> Row:
    """A row with its timeline and its samples, if it has them."""
    row = known(Row, fields)
    if fields.get("timeline"):
        row.timeline = Timeline.read(fields["timeline"])
    if fields.get("usage"):
        row.usage = Usage.read(fields["usage"])
    return row


def known(kind: type[Kind], fields: dict[str, Any]) -> Kind:
    """An object from the fields that this version has of it; one that a newer version has written has more."""
    names = {field.name for field in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in fields.items() if name in names})
