"""The digests of the deployment's images, as scripts/pin-images writes them."""

import json
import pathlib
import re
import shutil

import pytest
import yaml
from support.commands import REPOSITORY, refuses, run

OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
VARIABLES = "# The images.\n{edge}\n{filter}\n\nssh_port: 22\n"
KNOWN = f'case "$*" in "buildx imagetools inspect "*) echo {NEW} ;; *) exit 1 ;; esac'


@pytest.fixture
def script(tmp_path: pathlib.Path) -> pathlib.Path:
    """The script, beside variables of its own: a tag, and a tag with an older digest."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "ansible/group_vars").mkdir(parents=True)
    filter_line = f"socket_filter_image: registry.example.com:5000/haproxy:3@{OLD}"
    text = VARIABLES.format(edge="edge_image: traefik:v3", filter=filter_line)
    (tmp_path / "ansible/group_vars/all.yml").write_text(text, encoding="utf-8")
    return pathlib.Path(shutil.copy(REPOSITORY / "scripts/pin-images", tmp_path / "scripts"))


def variables(script: pathlib.Path) -> str:
    """The file beside the script."""
    return (script.parents[1] / "ansible/group_vars/all.yml").read_text(encoding="utf-8")


def test_each_image_gets_the_digest_that_its_tag_has_now(script, stubs):
    stubs.add("docker", KNOWN)
    run(script, env=stubs.before_all_others())
    edge, filter_line = (
        f"edge_image: traefik:v3@{NEW}",
        f"socket_filter_image: registry.example.com:5000/haproxy:3@{NEW}",
    )
    assert variables(script) == VARIABLES.format(edge=edge, filter=filter_line)


def test_a_release_needs_a_digest_of_each_image(script, stubs):
    stubs.add("docker", KNOWN)
    before = variables(script)
    refuses([script, "check"], "edge_image: traefik:v3 in all.yml has no digest: run 'make pin-images'")
    assert variables(script) == before
    run(script, env=stubs.before_all_others())
    pinned = variables(script)
    stubs.add("docker", "exit 1")
    assert run(script, "check", env=stubs.before_all_others()).splitlines() == [
        f"edge_image: traefik:v3@{NEW}",
        f"socket_filter_image: registry.example.com:5000/haproxy:3@{NEW}",
    ]
    assert variables(script) == pinned


def test_the_release_workflow_checks_the_digests_before_it_pushes_an_image():
    steps = yaml.safe_load((REPOSITORY / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    commands = [step.get("run", "") for step in steps["jobs"]["release"]["steps"]]
    pushing = next(number for number, command in enumerate(commands) if "docker push" in command)
    assert "scripts/pin-images check" in commands[:pushing]


def test_renovate_finds_the_images_that_are_pinned():
    """By its own expression, which is one of JavaScript."""
    settings = json.loads((REPOSITORY / "renovate.json").read_text(encoding="utf-8"))
    (manager,) = settings["customManagers"]
    (expression,) = manager["matchStrings"]
    text = (REPOSITORY / "ansible/group_vars/all.yml").read_text(encoding="utf-8")
    found = [match.groupdict() for match in re.finditer(expression.replace("(?<", "(?P<"), text)]
    assert [(image["depName"], image["currentValue"]) for image in found] == [
        tuple(image.split("@")[0].split(":")) for image in re.findall(r"^\w+_image: (\S+)$", text, re.MULTILINE)
    ]
    assert {image["depName"] for image in found} == {"traefik", "haproxy"}
    assert {"matchManagers": ["custom.regex"], "matchDatasources": ["docker"], "pinDigests": True} in settings[
        "packageRules"
    ]


@pytest.mark.parametrize("docker", ["echo no such host >&2; exit 1", "echo latest"], ids=["no network", "no digest"])
def test_without_a_digest_nothing_is_changed_and_the_image_is_named(script, stubs, docker):
    stubs.add("docker", docker)
    before = variables(script)
    refuses([script], "the digest of traefik:v3 is not known", env=stubs.before_all_others())
    assert variables(script) == before
