"""The edge that is measured and attacked on this machine is the one that is deployed."""

from __future__ import annotations

from configuration.edge import ENTRY_POINTS, REPLICA_PORT, SERVER_PORT, Configuration
from configuration.rendered import Rendered


def adapted(rendered: Rendered) -> Configuration:
    """What is started on this machine."""
    configuration = Configuration(Rendered(rendered.folder))
    configuration.adapt(dict.fromkeys(ENTRY_POINTS, 1), REPLICA_PORT + 1, "127.0.0.1:2")
    return configuration


def test_it_has_all_limits_and_timeouts(rendered: Rendered) -> None:
    """Only addresses differ."""
    configuration = adapted(rendered)
    assert configuration.routing["http"]["middlewares"] == rendered.routing["middlewares"]
    assert configuration.routing["http"]["serversTransports"] == rendered.routing["serversTransports"]
    found = configuration.install["entryPoints"]
    for name, settings in rendered.install["entryPoints"].items():
        assert {**found[name], "address": ""} == {**settings, "address": ""}
    assert configuration.memory == rendered.edge["services"]["traefik"]["deploy"]["resources"]["limits"]["memory"]
    assert configuration.labels[SERVER_PORT] == str(REPLICA_PORT + 1)


def test_limits_of_requests_can_be_lifted(rendered: Rendered) -> None:
    """For a load from one address; timeouts stay."""
    configuration = adapted(rendered)
    configuration.lift_limits()
    lifted, middlewares = configuration.routing["http"]["middlewares"], rendered.routing["middlewares"]
    changed = {name for name in middlewares if lifted[name] != middlewares[name]}
    assert changed == {"limit-rate", "limit-parallel", "limit-all", "limit-listeners"}
