"""Whether Traefik does what its configuration says."""

import contextlib
import pathlib
import shutil

import pytest
from configuration.parts import begin, status_of, statuses_of
from configuration.rendered import DOMAIN, change
from support.commands import attempt, run, wait_until

LARGEST_BODY = 999_999
LONG_ANSWER = 100_000_000
AT_ONCE = 3000  # requests of a client, in one round


# --- Who asks Traefik ---


@pytest.fixture(scope="module")
def limit(rendered):
    """How many requests of a client are served at a time."""
    return rendered.routing["middlewares"]["limit-parallel"]["inFlightReq"]["amount"]


def from_elsewhere(machine, path, *options):
    """The curl command of another client, with an address of its own."""
    reach = ("--cacert", "/ca.pem", "--connect-to", f"{DOMAIN}:443:edge:443")
    return machine.command(
        "curl", "--no-progress-meter", "--max-time", "120", *reach, *options, f"https://{DOMAIN}{path}"
    )


@contextlib.contextmanager
def held(traefik, machine, number, *options, seconds=120):
    """While this client has so many requests under way, which takes so many seconds at most. Yields a list, in which
    their statuses are afterwards."""
    machine.hold()
    parallel = ("--parallel", "--parallel-immediate", "--parallel-max", str(number))
    holding = begin(statuses_of(traefik.curl(f"/hold?[1-{number}]", *parallel, "--max-time", "600", *options)))
    statuses = []
    try:
        wait_until(lambda: machine.held() == number, seconds, f"{number} requests are not served at a time")
        yield statuses
    finally:
        machine.release()
        statuses += holding.communicate()[0].split()


def test_traefik_starts_with_its_configuration(edge):
    assert edge.status("/") == 200


def test_traefik_has_nothing_to_complain_about(edge):
    assert edge.complaints() == []


# --- Answers ---


@pytest.mark.parametrize(
    "header",
    [
        "strict-transport-security: max-age=63072000",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "content-security-policy: default-src 'none'; frame-ancestors 'none'",
    ],
)
def test_an_answer_has_the_header(edge, header):
    assert header in edge.ask("/", "--head").lower().splitlines()


@pytest.mark.parametrize(
    "header",
    [
        "strict-transport-security: max-age=63072000",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "content-security-policy: script-src 'self'",
    ],
)
def test_a_page_has_the_header_the_policy_being_its_own(edge, header):
    assert header in edge.ask("/page", "--head").lower().splitlines()


def test_the_largest_body_arrives_whole(edge, tmp_path):
    (tmp_path / "body").write_bytes(b"\0" * LARGEST_BODY)
    assert edge.ask("/", "--data-binary", f"@{tmp_path / 'body'}") == str(LARGEST_BODY)


def test_one_byte_more_is_answered_with_413(edge, tmp_path):
    (tmp_path / "body").write_bytes(b"\0" * (LARGEST_BODY + 1))
    assert edge.status("/", "--data-binary", f"@{tmp_path / 'body'}") == 413


def test_an_answer_of_100_mb_comes_through_whole(edge, tmp_path):
    edge.ask("/long", "--output", str(tmp_path / "answer"))
    assert (tmp_path / "answer").stat().st_size == LONG_ANSWER


def test_characters_that_the_service_refuses_in_a_query_come_encoded_by_a_redirection(edge):
    answer = edge.ask('/query?unread="true"&q=<b>', "--globoff", "--location")
    assert answer == "unread=%22true%22&q=%3Cb%3E"
    written = ("--output", "/dev/null", "--write-out", "%{http_code} %{redirect_url}")
    port = edge.address(443).rpartition(":")[2]
    redirection = edge.ask('/query?unread="true"', "--globoff", *written)
    assert redirection == f"302 https://{DOMAIN}:{port}/query?unread=%22true%22"


def test_another_host_name_gets_no_connection(edge):
    port = edge.address(443).rpartition(":")[2]
    other = f"other.example.com:{port}"
    done = attempt("curl", "--silent", "--insecure", "--resolve", f"{other}:127.0.0.1", f"https://{other}/")
    assert done.returncode != 0


def test_tls_1_1_gets_no_connection(edge):
    options = ("-servername", DOMAIN, "-cipher", "ALL:@SECLEVEL=0")
    connect = ("openssl", "s_client", "-connect", edge.address(443), *options)
    assert attempt(*connect, "-tls1_2").returncode == 0
    assert attempt(*connect, "-tls1_1").returncode != 0


def test_plain_http_leads_nowhere_and_is_not_redirected(edge):
    written = ("--output", "/dev/null", "--write-out", "%{http_code} %{redirect_url}")
    answer = run("curl", "--silent", *written, "--header", f"Host: {DOMAIN}", f"http://{edge.address(80)}/")
    assert answer == "404 "


# --- The limits of a client ---


def test_as_many_requests_of_a_client_as_the_limit_are_served_at_a_time(edge, machine, limit):
    with held(edge, machine, limit) as statuses:
        pass
    assert statuses == ["200"] * limit


def test_one_more_request_is_answered_with_429(edge, machine, limit):
    with held(edge, machine, limit):
        assert edge.status("/") == 429


def test_one_more_request_is_answered_with_429_whatever_address_it_says_it_is_for(edge, machine, limit):
    with held(edge, machine, limit):
        assert edge.status("/", "--header", "X-Forwarded-For: 198.51.100.1") == 429


def test_another_client_is_served_while_one_is_at_its_limit(edge, machine, limit):
    with held(edge, machine, limit):
        assert status_of(from_elsewhere(machine, "/")) == 200


def test_a_client_is_served_again_after_its_requests(edge, machine, limit):
    with held(edge, machine, limit):
        pass
    assert edge.status("/") == 200


@pytest.fixture(scope="module")
def many(edge, machine):
    """The statuses of many requests at once of another client: of the first round of them that exceeds the limit, since
    a busy machine may serve a round more slowly."""
    parallel = ("--parallel", "--parallel-max", "8")
    command, statuses = statuses_of(from_elsewhere(machine, f"/?[1-{AT_ONCE}]", *parallel)), []

    def is_refused():
        statuses[:] = attempt(*command).stdout.split()
        return "429" in statuses

    wait_until(is_refused, 180, "no request is refused")
    return statuses


def test_a_client_that_sends_3000_requests_at_once_is_answered_with_429(many):
    assert "429" in many


def test_a_client_is_not_answered_with_429_before_its_burst(many, rendered):
    assert many.count("200") >= rendered.routing["middlewares"]["limit-rate"]["rateLimit"]["burst"]


def test_a_client_that_sends_too_much_is_answered_with_nothing_else(many):
    assert set(many) == {"200", "429"} and len(many) == AT_ONCE


def test_another_client_is_served_while_one_sends_too_much(edge, machine):
    parallel = ("--parallel", "--parallel-max", "8")
    sending = begin(statuses_of(from_elsewhere(machine, f"/?[1-{AT_ONCE}]", *parallel)))
    try:
        status = edge.status("/")
    finally:
        sending.communicate()
    assert status == 200


# --- Slow clients ---


@pytest.fixture(scope="module")
def addresses(machine, rendered):
    """Addresses of the machine, as those of so many clients that their connections are all that the firewall takes."""
    own = machine.run("hostname", "-i").split()[0].rpartition(".")[0]
    number = rendered.connections_of_all() // rendered.connections_of_a_client()
    addresses = [f"{own}.{200 + index}" for index in range(1, number + 1)]
    for address in addresses:
        machine.run("ip", "address", "add", f"{address}/16", "dev", "eth0")
    return addresses


@pytest.mark.parametrize("kind", ["body", "headers", "answer"])
def test_others_are_served_while_slow_clients_hold_all_connections(edge, machine, rendered, addresses, limit, kind):
    each = rendered.connections_of_all() // len(addresses) if kind == "headers" else limit
    flood = ("python3", "/flood.py", kind, DOMAIN, "edge", str(each), "5", *addresses)
    flooding = begin(machine.command(*flood))
    try:
        opened = flooding.stdout.readline()
        wait_until(lambda: edge.status("/") == 200, 180, f"others are not served ({opened})")
    finally:
        results = flooding.communicate()[0]
    assert flooding.returncode == 0, results
    # While they come one after the other, Traefik may end some that are too slow.
    assert int(opened.split()[0]) > each * len(addresses) / 2, results
    assert edge.state() == "running 0 false"
    wait_until(lambda: edge.status("/") == 200, 120, "others are not served afterwards")


# --- The bound of all clients ---


def refuses_another(bounded, machine):
    """Whether a third request, of another client and with another port in `Host`, is rejected while two are held."""
    reach = ("--cacert", "/ca.pem", "--connect-to", f"{DOMAIN}:443:bounded:443")
    headers = ("--header", f"Host: {DOMAIN}:2", "--header", "X-Edge: other")
    own = ("--header", f"Host: {DOMAIN}:1")
    with contextlib.suppress(pytest.fail.Exception), held(bounded, machine, 2, *own, seconds=30):
        return status_of(machine.command("curl", "--silent", *reach, *headers, f"https://{DOMAIN}/")) == 429
    return False  # the two were not held


def test_the_total_limit_of_requests_counts_all_clients(start, files, machine, tmp_path):
    few = pathlib.Path(shutil.copytree(files, tmp_path / "bounded"))
    change(few / "routing/routing.yml", "amount: 256", "amount: 2")
    bounded = start("bounded", few)
    wait_until(lambda: bounded.status("/") == 200, 180, "Traefik does not answer")
    # Traefik counts anew when its configuration changes, as it does when its providers come one after the other; so it
    # is tried again.
    wait_until(lambda: refuses_another(bounded, machine), 300, "a third request is not refused")


# --- A misspelt configuration ---


def test_traefik_does_not_start_with_a_misspelt_key_and_names_it(start, files, tmp_path):
    misspelt = pathlib.Path(shutil.copytree(files, tmp_path / "misspelt"))
    change(misspelt / "traefik.yml", "maxHeaderBytes", "maxHeaderByte")
    traefik = start("install-misspelt", misspelt)
    wait_until(lambda: traefik.state().startswith("exited "), 180, "Traefik goes on with a misspelt key")
    assert "maxHeaderByte" in traefik.logs()


def test_traefik_complains_about_a_misspelt_key_of_the_routing(start, files, tmp_path):
    misspelt = pathlib.Path(shutil.copytree(files, tmp_path / "misspelt"))
    change(misspelt / "routing/routing.yml", "contentTypeNosniff", "contentTypeNosnif")
    traefik = start("routing-misspelt", misspelt)
    named = "contentTypeNosnif"
    wait_until(lambda: any(named in line for line in traefik.complaints()), 180, "Traefik does not name the key")
