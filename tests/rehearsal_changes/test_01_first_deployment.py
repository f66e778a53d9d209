"""An empty account and a form become a service, at a domain of DuckDNS, so that there is a token of it to rotate."""

import re

import pytest
from rehearsal.settings import DUCKDNS_DOMAIN
from rehearsal.world import NEW_RELEASE, World


@pytest.mark.prerequisite
def test_deploy_asks_for_the_token_of_duckdns_and_then_sets_everything_up(world: World) -> None:
    world.edit(world.form, domain=DUCKDNS_DOMAIN, dns_provider="duckdns")
    assert world.deploy(NEW_RELEASE).refuses("enter the token that duckdns.org shows you")
    world.edit(world.secrets, duckdns_token=(world.folder / "duckdns-token").read_text())
    said = world.deploy(NEW_RELEASE)
    assert said.succeeded
    served = re.search(r"^==> .* serves (herolo:[0-9a-f]+) from ", said.text, re.MULTILINE)
    assert served
    [host] = world.cloud.hosts()
    world.learn(release=served[1], previous=served[1], address=host.address)
    world.follow_domain(DUCKDNS_DOMAIN)
    assert world.replicas_of(world.release) == world.settings.replicas
