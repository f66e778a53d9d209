"""What is watched."""

import re
import secrets
from collections.abc import Iterator

import pytest
import yaml
from rehearsal.processes import REPOSITORY, wait_until
from rehearsal.settings import ENVIRONMENT, REPLICAS
from rehearsal.world import World
from support.cloud import REGION

NAMESPACE = f"herolo-{ENVIRONMENT}"
UNREACHABLE = "http://127.0.0.1:9"


def collect(world: World) -> None:
    """Runs the collector now, rather than at the next minute."""
    world.on_host("systemctl", "start", "herolo-monitoring.service")


def collected(world: World, metric: str) -> list[float]:
    """All values of a metric. A run of the timer may have begun before this one, and write older values after it; so a
    test waits for the value that it expects."""
    collect(world)
    return world.cloud.metric(NAMESPACE, metric)


def await_replicas(world: World, number: int) -> None:
    """Waits until that number of replicas is what the collector has written last."""
    wait_until(lambda: collected(world, "ReplicasReady")[-1] == number, f"{number} replicas are ready", 180)


def test_the_host_measures_itself_every_minute(world: World) -> None:
    timer = world.on_host("systemctl", "is-enabled", "herolo-monitoring.timer")
    assert timer == "enabled" and world.on_host("systemctl", "is-active", "herolo-monitoring.timer") == "active"
    wait_until(lambda: len(world.cloud.metric(NAMESPACE, "DiskUsed")) > 1, "the timer has run the collector twice", 180)


def test_the_metric_of_every_alarm_is_written(world: World) -> None:
    alarms = world.cloud.alarms(NAMESPACE)
    assert len(alarms) == 6
    await_replicas(world, REPLICAS)
    values = {metric: world.cloud.metric(NAMESPACE, metric)[-1] for metric in alarms.values()}
    assert values["EdgeHealthy"] == 1
    assert values["CertificateDays"] > 20 and 0 < values["DiskUsed"] < 100 and 0 < values["MemoryUsed"] < 100
    assert values["ServerErrors"] >= 0


def test_requests_and_their_durations_are_counted(world: World) -> None:
    def request_is_counted() -> bool:
        assert world.request("GET", "/livez").status == 200
        return collected(world, "Requests")[-1] >= 1

    collect(world)  # counts begin with the second run
    wait_until(request_is_counted, "a request is counted")
    assert 0 < world.cloud.metric(NAMESPACE, "DurationP99")[-1] <= 30


def test_traefiks_metrics_are_not_served_to_the_outside(world: World) -> None:
    assert world.request("GET", "/metrics").status == 404
    assert "8082" not in world.on_host("ss", "--listening", "--tcp", "--numeric")


def test_a_stopped_replica_is_missing(world: World) -> None:
    world.on_host("docker", "service", "scale", "--detach", f"herolo_api={REPLICAS - 1}")
    try:
        wait_until(lambda: len(world.containers_of("herolo_api")) == REPLICAS - 1, "one replica less runs", 120)
        await_replicas(world, REPLICAS - 1)
    finally:
        world.on_host("docker", "service", "scale", f"herolo_api={REPLICAS}")


def test_status_shows_when_metrics_were_written(world: World) -> None:
    collect(world)
    assert world.operate("status").says(r"^  metrics +written +\d+ s ago")


# --- Logs in CloudWatch, with the options of the stack files


@pytest.fixture
def group(world: World) -> Iterator[str]:
    """A log group, which is in CloudWatch meanwhile."""
    group = f"/{NAMESPACE}/{secrets.token_hex(4)}"
    world.cloud.make_log_group(group)
    yield group
    world.cloud.remove_log_group(group)


def start_job(world: World, name: str, group: str, endpoint: str) -> None:
    """A task that prints its help and ends. Docker finds CloudWatch at the endpoint.

    These are fewer lines than the 4,096 that the driver keeps until it has reached CloudWatch. After more, Docker does
    not end a task whose driver has never reached it (https://github.com/moby/moby/issues/53143).
    """
    text = (REPOSITORY / "ansible/group_vars/all.yml").read_text().replace("!unsafe", "")
    options = yaml.safe_load(text)["awslogs_options"]
    options |= {"awslogs-region": REGION, "awslogs-group": group, "awslogs-endpoint": endpoint}
    logging = ("--log-driver=awslogs", *(f"--log-opt={name}={value}" for name, value in options.items()))
    mode = ("--mode=replicated-job", "--detach", "--no-resolve-image", "--restart-condition=none")
    world.on_host("docker", "service", "create", f"--name={name}", *mode, *logging, world.release, "--help")


def is_complete(world: World, name: str) -> bool:
    return world.on_host("docker", "service", "ps", "--format", "{{.CurrentState}}", name).startswith("Complete")


def test_lines_arrive_in_cloudwatch_and_can_still_be_read_on_the_host(world: World, group: str) -> None:
    environment = world.on_host("systemctl", "show", "--property=Environment", "herolo-monitoring")
    start_job(world, "logged", group, re.search(r"AWS_ENDPOINT_URL=(\S+)", environment)[1])
    try:
        wait_until(lambda: is_complete(world, "logged"), "the task has ended")
        wait_until(lambda: any(world.cloud.log_events(group).values()), "its lines are in CloudWatch")
        (stream,) = world.cloud.log_events(group)
        assert stream.startswith("logged.")
        assert "openapi" in world.on_host("docker", "service", "logs", "--raw", "logged")
    finally:
        world.on_host("docker", "service", "rm", "logged")


def test_a_container_starts_while_cloudwatch_is_out_of_reach(world: World, group: str) -> None:
    start_job(world, "unlogged", group, UNREACHABLE)
    try:
        wait_until(lambda: is_complete(world, "unlogged"), "the task has run to its end")
    finally:
        world.on_host("docker", "service", "rm", "unlogged")
