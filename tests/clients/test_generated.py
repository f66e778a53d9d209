"""The generators that are used most generate clients from the OpenAPI document, and those in Python work.

The clients in Python run in an interpreter of their own, with the packages that they need (`scripts/python clients`).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from clients.generators import Generators
from support.services import PATIENCE, Service

HERE = Path(__file__).parent
LANGUAGES = ("python", "typescript-fetch", "java", "kotlin", "go", "rust", "csharp")


def test_the_document_is_valid_for_openapi_generator(generators: Generators) -> None:
    """It reports a SpecValidationException otherwise."""
    generators.validate()


@pytest.mark.parametrize("language", LANGUAGES)
def test_openapi_generator_generates_a_client(language: str, generators: Generators) -> None:
    """With files of source code that name an operation."""
    folder = generators.openapi_generator(language)
    sources = [file.read_text(errors="replace") for file in folder.rglob("*") if file.is_file()]
    assert any("sendmessage" in source.lower().replace("_", "") for source in sources)


def test_openapi_python_client_generates_a_client_without_warnings(generators: Generators) -> None:
    """A warning is a part of the document that it leaves out."""
    folder = generators.openapi_python_client()
    assert (folder / "herolo_client/api/messages/send_message.py").exists()


def test_datamodel_code_generator_generates_models(generators: Generators) -> None:
    """Of all bodies."""
    folder = generators.datamodel_code_generator()
    assert "class NewMessage(" in (folder / "models.py").read_text()


def use(program: str, client: Path, generators: Generators, service: Service) -> None:
    """Runs a program that uses a generated client, with the packages of generated clients."""
    done = subprocess.run(
        [generators.commands / "python", "-B", HERE / "uses" / program, service.url],
        env={**os.environ, "PYTHONPATH": str(client)},
        check=False,
        timeout=10 * PATIENCE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_the_client_of_openapi_generator_works(generators: Generators, service: Service) -> None:
    """From signing up to deleting the account."""
    use("openapi_generator.py", generators.openapi_generator("python"), generators, service)


def test_the_client_of_openapi_python_client_works(generators: Generators, service: Service) -> None:
    """From signing up to deleting a message."""
    use("openapi_python_client.py", generators.openapi_python_client(), generators, service)


def test_the_models_of_datamodel_code_generator_read_and_write_bodies(generators: Generators, service: Service) -> None:
    """Over HTTP without a client."""
    use("datamodel_code_generator.py", generators.datamodel_code_generator(), generators, service)
