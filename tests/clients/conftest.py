"""Clients that are generated from the service's own OpenAPI document.

Environment, optional:
  KEEP  a folder for the generated clients, which are removed otherwise
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from clients.generators import Generators
from support.provision import provided
from support.services import REPOSITORY, Service


@pytest.fixture(scope="session")
def service_settings() -> dict[str, str]:
    """The example of a settings file."""
    return {"HEROLO_CONFIG": str(REPOSITORY / "service/Rocket.toml")}


@pytest.fixture(scope="session")
def generators(
    service: Service, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Generators:
    """The generators, with the document of the service."""
    commands = Path(provided(request, ["scripts/python", "clients"]))
    kept = os.environ.get("KEEP")
    clients = Path(kept).resolve() if kept else tmp_path_factory.mktemp("clients")
    clients.mkdir(parents=True, exist_ok=True)
    document = clients / "openapi.json"
    document.write_text(json.dumps(service.openapi_document()))
    return Generators(commands, clients, document)
