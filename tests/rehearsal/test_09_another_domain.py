"""The form names another DNS provider, another domain, and then another certificate authority."""

import json
import re
from pathlib import PurePosixPath

import pytest
from rehearsal.parts import ACME_DIRECTORIES, AUTHORITY, OTHER_AUTHORITY
from rehearsal.settings import DOMAIN, DUCKDNS_DOMAIN
from rehearsal.world import Account, World


def test_a_record_to_enter_by_hand_is_asked_for_before_the_host_looks_for_it(world: World) -> None:
    world.edit(world.form, dns_provider="none")
    record = re.escape(f"{DOMAIN}. 60 IN A {world.settings.address}")
    said = world.operate("deploy", YES="1", IMAGE=world.release, WAIT="0")
    assert said.refuses(f"^error: {DOMAIN} has no A record, but must have the record {record}: enter it")
    assert not said.says("^  host ")


def test_once_it_is_entered_nothing_is_left_to_do_by_hand(world: World) -> None:
    world.enter_records((DOMAIN, "A", [world.settings.address]))
    said = world.operate("doctor")
    world.enter_records()
    assert said.says(rf"^ +address record +ok +{DOMAIN} leads to the host, {world.settings.address}")


def test_without_its_token_nothing_is_changed_and_the_line_to_enter_it_is_told(world: World) -> None:
    world.edit(world.form, domain=DUCKDNS_DOMAIN, dns_provider="duckdns")
    before = world.service_versions()
    assert world.deploy(world.release).refuses("enter the token that duckdns.org shows you")
    assert world.service_versions() == before


def test_plan_shows_the_changes_for_that(world: World) -> None:
    world.edit(world.secrets, duckdns_token=(world.folder / "duckdns-token").read_text())
    assert world.operate("plan", IMAGE=world.release).succeeded


@pytest.mark.prerequisite
def test_deploy_tells_duckdns_the_address(world: World) -> None:
    world.tell_duckdns(ipv6="2001:db8::7")  # from before
    assert world.deploy(world.release).succeeded
    world.follow_domain(DUCKDNS_DOMAIN)


def test_it_leads_to_the_host_alone(world: World) -> None:
    assert world.names(DUCKDNS_DOMAIN, "A") == [world.settings.address]
    assert world.names(DUCKDNS_DOMAIN, "AAAA") == []


def test_the_api_answers_there_with_a_certificate_of_its_own(world: World) -> None:
    assert world.tls_issuer().startswith("Pebble Intermediate CA")
    assert world.request("GET", "/livez").status == 200


def test_an_account_from_before_logs_in_there(world: World, alice: Account) -> None:
    assert world.log_in(alice.name).status == 201


def test_the_record_in_route_53_is_gone(world: World) -> None:
    left = world.cloud.left()
    assert any(line.startswith("instance ") for line in left)
    assert not any(line.startswith("record ") for line in left)


STORAGES = PurePosixPath("/var/lib/herolo/acme")


def install_configurations(world: World) -> list[str]:
    """The names of Traefik's install configurations that the swarm has, the current one among them."""
    return world.on_host("docker", "config", "ls", "--filter", "name=edge_install_", "--format", "{{.Name}}").split()


def storage_of_traefik(world: World) -> PurePosixPath:
    """The file on the host in which Traefik stores certificates, and whose certificates it renews."""
    names = "{{range .Spec.TaskTemplate.ContainerSpec.Configs}}{{println .ConfigName}}{{end}}"
    used = world.on_host("docker", "service", "inspect", "--format", names, "edge_traefik").split()
    [install] = set(used) & set(install_configurations(world))
    text = world.on_host("docker", "config", "inspect", "--format", '{{printf "%s" .Spec.Data}}', install)
    return STORAGES / re.search(r"storage: /acme/(\S+)", text)[1]


def test_only_the_certificate_of_that_domain_is_renewed(world: World) -> None:
    stored = json.loads(world.on_host("cat", str(storage_of_traefik(world))))
    assert [certificate["domain"]["main"] for certificate in stored["acme"]["Certificates"]] == [DUCKDNS_DOMAIN]


@pytest.fixture(scope="module")
def first_certificate(world: World) -> str:
    """The serial number of the certificate of the first authority."""
    return world.certificate()["serialNumber"]


@pytest.mark.prerequisite
def test_another_authority_in_the_form_gives_a_certificate_of_that_authority(
    world: World, first_certificate: str
) -> None:
    world.edit(world.form, acme_authority=ACME_DIRECTORIES[OTHER_AUTHORITY])
    assert world.deploy(world.release).succeeded
    assert world.certificate(OTHER_AUTHORITY)["serialNumber"] != first_certificate


@pytest.mark.prerequisite
def test_the_first_authority_again_gives_the_stored_certificate(world: World, first_certificate: str) -> None:
    world.edit(world.form, acme_authority=ACME_DIRECTORIES[AUTHORITY])
    assert world.deploy(world.release).succeeded
    assert world.certificate()["serialNumber"] == first_certificate


def test_the_current_and_the_previous_install_configuration_are_kept_and_no_older_one(world: World) -> None:
    assert len(install_configurations(world)) == 2
