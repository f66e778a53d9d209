"""The release to deploy: an image of this machine's Docker, built from the source unless IMAGE names another."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from . import process
from .console import Failure
from .environment import REPOSITORY
from .host import Host

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*")
PLATFORM = "linux/amd64"  # of every instance type that infra/variables.tf accepts
TOKEN_LIFETIME = 86400  # the default of HEROLO_TOKEN_LIFETIME in service/src/config
RELEASES = "/etc/herolo/service/releases.json"


def require_docker() -> None:
    """Fails unless Docker can be used, with the reason."""
    check = ["bash", "-c", '. "$0" && require_docker 2>&1', REPOSITORY / "scripts/lib.sh"]
    result = process.run(check, capture=True)
    if not result.succeeded:
        raise Failure(result.output.strip().removeprefix("error: "))


def provide_release(image: str, host: Callable[[], Host | None]) -> str:
    """The name of the image: built, found here, pulled, or found on the host."""
    if not image:
        return _build()
    if not NAME.fullmatch(image):
        raise Failure(f"IMAGE='{image}' is not the name of an image")
    if is_here(image) or _is_pulled(image):
        _require_platform(image)
    elif not _is_on_host(image, host):
        raise Failure(
            f"the image {image} is neither in this machine's Docker nor on the host, nor can it be pulled: leave IMAGE "
            "out to deploy the source"
        )
    return image


def _build() -> str:
    built = process.run([REPOSITORY / "scripts/image"], capture=True)
    if not built.succeeded:
        raise Failure("the image of the service cannot be built: see above")
    image = built.output.strip()
    _require_platform(image)
    return image


def _require_platform(image: str) -> None:
    """The host could not start any other."""
    command = ["docker", "image", "inspect", "--format", "{{.Os}}/{{.Architecture}}", image]
    found = process.run(command, capture=True).output.strip()
    if found != PLATFORM:
        raise Failure(
            f"the image {image} is for {found or 'an unknown platform'}, but the host is {PLATFORM}: build it on such "
            "a machine, or name another by IMAGE=..."
        )


def is_here(image: str) -> bool:
    """Whether this machine's Docker has the image."""
    return process.run(["docker", "image", "inspect", image], capture=True).succeeded


def _is_pulled(image: str) -> bool:
    return process.run(["docker", "pull", "--quiet", "--platform", PLATFORM, image]).succeeded


def _is_on_host(image: str, find_host: Callable[[], Host | None]) -> bool:
    host = find_host()
    return host is not None and host.read(f"docker image inspect {image}").succeeded


def find_current_release(host: Host, environment: str) -> str:
    """The release of the last successful deployment."""
    return read_releases(host, environment)[0]


def find_token_lifetime(host: Host, environment: str) -> int:
    """The seconds for which the deployed service's access tokens are valid."""
    result = host.read("docker service inspect herolo_api")
    if not result.succeeded:
        raise Failure(f"the settings of the service cannot be read from the host: see 'make status ENV={environment}'")
    variables = json.loads(result.output)[0]["Spec"]["TaskTemplate"]["ContainerSpec"].get("Env") or []
    settings = dict(variable.split("=", 1) for variable in variables)
    return int(settings.get("HEROLO_TOKEN_LIFETIME", TOKEN_LIFETIME))


def find_releases(host: Host, environment: str) -> tuple[str, str]:
    """The current release and the one before."""
    current, previous, *_ = [*read_releases(host, environment), "", ""]
    if not previous:
        raise Failure(f"there is no release before {current} to go back to")
    return current, previous


def read_releases(host: Host, environment: str) -> list[str]:
    """The releases on the host, the current one first."""
    releases = find_releases_on(host)
    if not releases:
        raise Failure(f"the releases cannot be read from the host: see 'make status ENV={environment}'")
    return releases


def is_set_up(host: Host) -> bool | None:
    """Whether a release was deployed there; None if SSH does not reach it."""
    result = host.read(f"test -f {RELEASES} && echo deployed || echo bare")
    return result.output.strip() == "deployed" if result.succeeded else None


def find_releases_on(host: Host) -> list[str]:
    """The same, or nothing if the host has none or does not answer."""
    result = host.read(f"cat {RELEASES} 2>/dev/null")
    releases: list[str] = json.loads(result.output) if result.succeeded else []
    return releases
