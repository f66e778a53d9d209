"""The settings of one rehearsal, which its processes share through a file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

ENVIRONMENT = "rehearsal"
REPLICAS = 3  # of one host
REPLICAS_OF_EACH = 2  # of each of several hosts
# A tag or a commit, from which the rehearsal upgrades: the last release. As long as none is tagged, it is an early
# commit whose database the migrations of today accept.
PREVIOUS_RELEASE = "b811b36adc17547b9e628dc6d74d6d419ef52056"
LIMIT_SENDS = 1500  # a minute; not the service's default
DOMAIN = "herolo.example.com"
DUCKDNS_DOMAIN = "herolo-rehearsal.duckdns.org"


@dataclasses.dataclass
class Settings:
    """All that is not the same in every rehearsal, and that is learnt in the course of it."""

    ssh_port: int
    hosts: int = 1  # with which the rehearsal begins
    endpoint: str = ""
    edge_image: str = ""
    socket_filter_image: str = ""
    # Of the deployment, as soon as it exists.
    domain: str = DOMAIN
    address: str = ""  # of the first host
    release: str = ""
    previous: str = ""  # the image of the previous release

    @property
    def replicas(self) -> int:
        """The number of replicas on each host."""
        return REPLICAS if self.hosts == 1 else REPLICAS_OF_EACH

    @classmethod
    def load(cls, folder: Path) -> Settings:
        """Reads them from the folder of the rehearsal."""
        return cls(**json.loads((folder / "world.json").read_text()))

    def save(self, folder: Path) -> None:
        """Writes them into the folder of the rehearsal."""
        (folder / "world.json").write_text(json.dumps(dataclasses.asdict(self), indent=2))

    @staticmethod
    def state_file(folder: Path) -> Path:
        """Terraform's state."""
        return folder / "environments" / f"{ENVIRONMENT}.tfstate"

    @staticmethod
    def secrets_file(folder: Path) -> Path:
        """The file in which the operator's commands keep the secrets."""
        return folder / "environments" / f"{ENVIRONMENT}.secrets.yml"
