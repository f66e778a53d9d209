"""What AWS charges, from the dated tables in prices/: one for each region whose prices are known, and one for all."""

from __future__ import annotations

import datetime
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "prices"
EVERYWHERE = "everywhere"


@dataclass(frozen=True)
class Prices:
    """The prices of a region in USD, without tax."""

    region: str
    date: datetime.date  # of the older table
    tables: dict[str, dict[str, float]]

    def find(self, table: str, name: str) -> float | None:
        """A price, such as that of "t3.small" in the table "instance_hour", or None if it is not known."""
        return self.tables.get(table, {}).get(name)


def load_prices(region: str, folder: Path = FOLDER) -> Prices:
    """The prices of a region. Without a table of its own they are those that are the same everywhere."""
    documents = [_read(folder / f"{EVERYWHERE}.toml")]
    own = folder / f"{region}.toml"
    if own.is_file():
        documents.append(_read(own))
    tables: dict[str, dict[str, float]] = {}
    for document in documents:
        for name, table in document.items():
            if isinstance(table, dict):
                tables[name] = {**tables.get(name, {}), **table}
    return Prices(region, min(document["date"] for document in documents), tables)


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return tomllib.load(file)
