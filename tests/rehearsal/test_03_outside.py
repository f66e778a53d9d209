"""Used from outside, over HTTPS at the domain."""

import json
import re
import ssl
import warnings
from pathlib import PurePosixPath

import pytest
from rehearsal.parts import image_of
from rehearsal.processes import REPOSITORY, wait_until
from rehearsal.settings import LIMIT_SENDS, REPLICAS
from rehearsal.world import Account, World, bearer

LONGEST = 65535  # bytes of a message
UNREADABLE_CLIENTS = 64
FLOOD = REPOSITORY / "tests/deploy/stand-ins/flood.py"

# Run in a container beside the host.
OPEN_PORTS = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def is_open(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex((sys.argv[1], port)) == 0
ports = range(1, 65536)
with ThreadPoolExecutor(1000) as pool:
    print(json.dumps([port for port, found in zip(ports, pool.map(is_open, ports)) if found]))
"""

INTERNAL_PATHS = [
    *("/readyz", "/drainz", "/metrics", "/metrics/", "//metrics", "/./metrics", "/users/../metrics", "/METRICS"),
    *("/metrics?x", "/metrics;x", "/%6detrics", "/met%72ics", "/%2fmetrics", "/metrics%2f", "/..%2fmetrics"),
    *("/%2e/metrics", "/%5cmetrics", "/metrics%00"),
]


def test_the_certificate_is_the_acme_servers_for_the_domain(world: World) -> None:
    assert world.tls_issuer().startswith("Pebble Intermediate CA")


def test_the_contract_works_over_https(world: World, alice: Account, bob: Account) -> None:
    sent = world.send(alice, bob, "Hello", "It works.")
    assert sent.status == 201
    inbox = f"/users/{bob.name}/messages"
    path = f"{inbox}/{sent.json()['id']}"
    unread = world.request("GET", f"{inbox}?unread=true", token=bob.token)
    assert unread.status == 200
    assert b"It works." in unread.body
    one = world.request("GET", path, token=bob.token)
    assert (one.status, one.json()["sender"]) == (200, alice.name)
    marked = world.request("PATCH", path, {"read": True}, bob.token)
    assert (marked.status, marked.json()["read"]) == (200, True)
    assert world.request("GET", path, token=alice.token).status == 403
    own = f"/users/{alice.name}/messages/{sent.json()['id']}"
    assert world.request("DELETE", own, token=alice.token).status == 204
    assert world.request("GET", path, token=bob.token).status == 404
    anonymous = world.request("GET", inbox)
    assert (anonymous.status, anonymous.json()["status"]) == (401, 401)


def test_a_setting_of_the_form_is_in_effect(world: World, alice: Account, bob: Account) -> None:
    (policy,) = world.send(alice, bob, "Hello", "How many?").values("ratelimit-policy")
    assert f";q={LIMIT_SENDS};w=60" in policy


def test_a_message_arrives_by_itself_in_a_stream_of_events(world: World, alice: Account, bob: Account) -> None:
    with world.event_stream(bob) as heard:
        wait_until(lambda: "event:hello" in heard.read_text(), "the stream says hello")
        assert world.send(alice, bob, "Live", "Heard at once.").status == 201
        wait_until(lambda: "Heard at once." in heard.read_text(), "the message is in the stream")


@pytest.mark.parametrize("path", ["/", "/inbox/app.js", "/docs", "/docs/", "/docs/swagger-ui-bundle.js"])
def test_a_page_comes_with_its_own_policy(world: World, path: str) -> None:
    answer = world.request("GET", path)
    assert answer.status == 200
    [policy] = answer.values("content-security-policy")
    assert policy.startswith("default-src 'none'; script-src 'self';")


@pytest.mark.parametrize("path", ["/livez", "/users/alice", "/inbox/none", "/nowhere"])
def test_an_answer_that_is_no_page_comes_with_a_policy_that_lets_nothing_run(world: World, path: str) -> None:
    [policy] = world.request("GET", path).values("content-security-policy")
    assert policy == "default-src 'none'; frame-ancestors 'none'"


def test_requests_reach_all_replicas(world: World) -> None:
    """By Traefik's access log, which has errors."""

    def reaches_all() -> bool:
        for number in range(12):
            world.request("GET", f"/nowhere?{number}")
        log = world.on_host("docker", "service", "logs", "--raw", "--since", start, "edge_traefik")
        return len(set(re.findall(r'"ServiceAddr":"[0-9.]*:8000"', log))) == REPLICAS

    start = world.on_host("date", "--utc", "+%FT%TZ")  # earlier lines name replicas of the release before
    wait_until(reaches_all, f"the access log names {REPLICAS} replicas")


def test_tls_1_1_is_refused(world: World) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = ssl.create_default_context(cafile=world.folder / "acme-root.pem")
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match="alert protocol version"):
        world.tls(context)


@pytest.mark.parametrize("path", ["/", "/users", "/livez", "/metrics"])
def test_plain_http_leads_nowhere_and_is_not_redirected(world: World, path: str) -> None:
    answer = world.request("GET", path, scheme="http")
    assert (answer.status, answer.values("location")) == (404, [])


@pytest.mark.parametrize("path", INTERNAL_PATHS)
def test_probes_and_metrics_lead_nowhere_however_they_are_spelt(world: World, path: str) -> None:
    answer = world.request("GET", path)
    assert answer.status >= 400
    assert not re.search(rb'^# (HELP|TYPE)|"started"', answer.body, re.MULTILINE)


def test_a_body_of_2_mib_is_refused(world: World) -> None:
    # Over HTTP/2, curl 7.88 loses the body of a response that comes before it has sent its own.
    answer = world.request("POST", "/users", b"x" * 2097152, options=("--http1.1",))
    assert answer.status == 413
    assert answer.json()["type"] == "urn:problem-type:herolo:too-large"


def test_a_header_of_64_kib_is_refused(world: World) -> None:
    options = ("--http1.1", "--header", "X-Big: " + "x" * 65536)
    assert world.request("GET", "/livez", options=options).status == 431


def test_an_encoded_slash_is_refused(world: World) -> None:
    assert world.request("GET", "/users/alice%2fmessages").status == 400


def test_100_of_the_longest_messages_come_through_on_as_many_pages_as_they_take(world: World) -> None:
    sender, receiver = world.sign_up("dave"), world.sign_up("erin")
    for _ in range(100):
        assert world.send(sender, receiver, "long", "m" * LONGEST).status == 201
    path, read = f"/users/{receiver.name}/messages?per_page=100", 0
    while path:
        page = world.request("GET", path, token=receiver.token)
        assert page.status == 200
        assert len(page.body) <= 5242880
        read += sum(message["message"] == "m" * LONGEST for message in page.json()["messages"])
        path = page.json()["next"]
    assert read == 100


@pytest.fixture(scope="module")
def carol(world: World) -> Account:
    """An account with 140 messages to itself of control characters, each of them six bytes of JSON; an export has them
    twice."""
    account = world.sign_up("carol")
    for _ in range(140):
        assert world.send(account, account, "long", "\1" * LONGEST).status == 201
    return account


def test_an_export_of_100_mb_comes_through(world: World, carol: Account) -> None:
    options = ["--max-time", "300", "--output", "/dev/null", "--write-out", "%{http_code} %{size_download}"]
    url = f"https://{world.domain}/users/{carol.name}/export"
    status, size = world.curl(*options, url, config=bearer(carol.token)).split()
    assert status == "200"
    assert int(size) >= 100_000_000


def never_read(world: World, account: Account) -> None:
    """Many clients ask for an export and read none of it, from another address than other clients: a container beside
    the host."""
    told = world.parts.run_beside(
        image_of("host"),
        *("python3", "-", "answer", world.domain, world.parts.private_address("host")),
        *(str(UNREADABLE_CLIENTS), "30", "0.0.0.0"),
        input=FLOOD.read_text(),
        env={"FLOOD_TOKEN": account.token, "FLOOD_TARGET": f"/users/{account.name}/export"},
    )
    # All were opened, and some were being answered: those over the service's own budget are told to come again.
    assert f"{UNREADABLE_CLIENTS} opened" in told.splitlines()
    assert "'HTTP/1.1 200': " in told


def containers_at_edge(world: World) -> list[str]:
    """Traefik's and the replicas': a container that was killed is another one."""
    return sorted(world.containers_of("edge_traefik") + world.containers_of("herolo_api"))


@pytest.fixture(scope="module")
def containers_before(world: World) -> list[str]:
    """Those that must still be there after the clients that never read."""
    return containers_at_edge(world)


def test_64_clients_that_never_read_answers_of_100_mb_cost_the_others_nothing(
    world: World, carol: Account, containers_before: list[str], show
) -> None:
    with world.under_load() as counts:
        never_read(world, carol)
    show(counts)
    assert counts.show_no_loss(), counts


def test_nothing_is_held_after_clients_that_never_read(
    world: World, carol: Account, containers_before: list[str], show
) -> None:
    """The first time fills what is kept for use again (heaps, connections); a leak comes on top of it."""

    def await_end_of_connections() -> None:
        wait_until(lambda: connections_at_edge(world) == 0, "no connection of a client is established", 120)

    never_read(world, carol)
    await_end_of_connections()
    once = resident_memory(world)
    never_read(world, carol)
    await_end_of_connections()
    twice = resident_memory(world)
    show(f"MiB once: {once}, twice: {twice}")
    assert containers_at_edge(world) == containers_before
    traefik = world.process_of(world.containers_of("edge_traefik")[0])
    its_tmp = PurePosixPath("/proc", traefik, "root", "tmp")  # through its own root directory, proc(5)
    assert world.on_host("ls", "-A", str(its_tmp)) == ""
    assert all(after <= before + 32 for before, after in zip(once, twice))


def resident_memory(world: World) -> list[int]:
    """MiB of each container at the edge, in their order."""
    processes = [world.process_of(container) for container in containers_at_edge(world)]
    states = [world.on_host("cat", f"/proc/{process}/status") for process in processes]
    return [int(re.search(r"^VmRSS:\s+(\d+) kB", state, re.MULTILINE)[1]) // 1024 for state in states]


def connections_at_edge(world: World) -> int:
    """The number of established ones (01) at Traefik's port 443 (01BB)."""
    table = world.in_network_of("edge_traefik", "cat", "/proc/net/tcp", "/proc/net/tcp6")
    rows = [line.split() for line in table.splitlines()]
    return sum(row[1].endswith(":01BB") and row[3] == "01" for row in rows)


def test_a_raw_quote_in_a_query_is_redirected_to_its_encoded_form_which_works(world: World, bob: Account) -> None:
    path = f'/users/{bob.name}/messages?unread="true"'
    assert world.request("GET", path, token=bob.token).status == 302
    assert world.request("GET", path, token=bob.token, options=("--location",)).status == 200


def test_a_client_that_sends_too_much_is_slowed_down_with_429(world: World) -> None:
    """600 requests over a few connections, as fast as they go."""
    options = ["--no-progress-meter", "--parallel", "--parallel-max", "8", "--output", "/dev/null"]
    answers = world.curl(*options, "--write-out", "%{http_code}\n", f"https://{world.domain}/livez?[1-600]")
    assert "429" in answers.split()
    wait_until(lambda: world.request("GET", "/livez").status == 200, "the client is served again")


def test_ports_22_80_and_443_are_open_and_no_other(world: World) -> None:
    """On AWS a security group stands before them, here none does."""
    address = world.parts.private_address("host")
    found = world.parts.run_beside(image_of("host"), "python3", "-c", OPEN_PORTS, address)
    assert json.loads(found) == [22, 80, 443]
