"""Does what was confirmed, stage by stage: hosts drain before they are changed, the domain moves once the balancer
calls all hosts healthy, and no stage changes what was not announced."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from . import console
from .balancer import await_health, find_unhealthy, read_health
from .cloud import Cloud, read_deployment
from .console import Failure, step
from .deployment import Deployment
from .host import SSH_FAILED, Host, find_hosts
from .in_service import Fleet, examine
from .offer import lacks_own_password, set_own_password
from .record import RecordAnnouncer, move_record, settle_record
from .stages import ENTRY_TYPES, HOST, Stage, name_hosts

DRAIN = "/usr/local/sbin/herolo-drain start"


class Rollout:
    """The stages of one deployment. `configure` runs Ansible for a deployment."""

    def __init__(self, cloud: Cloud, configure: Callable[[Deployment], None]) -> None:
        self.cloud = cloud
        self.environment = cloud.environment
        self.options = cloud.options
        self._configure = configure

    def perform(self, stages: Sequence[Stage], announced: Mapping[str, list[str]], changes: str) -> Deployment:
        """All stages, of which the first is the saved plan, with these changes. Returns what is deployed then."""
        announced = {**self._find_removals(), **announced} if len(stages) > 1 else announced
        for number, stage in enumerate(stages, 1):
            if len(stages) > 1:
                step(f"stage {number} of {len(stages)}: {stage.words}")
            self._prepare(stage)
            if number > 1:
                changes = self._plan(stage, announced)
            if changes != "none":
                changes = self._restart_hosts(stage, changes)
            if stage.drains:
                self._drain(read_deployment(self.cloud), stage.drains)
            if changes != "none":
                self._apply(stage)
            if number == 1 and lacks_own_password(self.cloud):
                with self._phase("password"):
                    set_own_password(self.cloud)
            deployment = read_deployment(self.cloud)
            if number == 1 and stage.configures and not stage.moves:
                with self._phase("record") as phase:
                    phase.outcome = settle_record(deployment, self.environment, self.options)
            self._follow(stage, deployment)
        return deployment

    def _find_removals(self) -> dict[str, list[str]]:
        """What the first stage makes, and a later one removes: in place of hosts that AWS no longer has, and that are
        not wanted any more."""
        changes = self.cloud.saved_plan().changes
        return {address: ["delete"] for address, actions in changes.items() if actions == ["create"]}

    def _follow(self, stage: Stage, deployment: Deployment) -> None:
        if stage.configures:
            self._configure(deployment)
        if stage.moves:
            self._move_record(deployment, outlives=stage.outlives)

    def _move_record(self, deployment: Deployment, *, outlives: bool) -> None:
        with self._phase("record") as phase:
            phase.outcome = move_record(deployment, self.environment, self.options, outlives=outlives)

    # --- Before a stage ---

    def _prepare(self, stage: Stage) -> None:
        """Hosts in service leave only while those that stay are healthy, and once the domain does not lead to them."""
        if not stage.requires and not stage.awaits:
            return
        deployment = read_deployment(self.cloud)
        if stage.leaving and not self._examine(deployment).in_service.intersection(stage.leaving):
            return
        if stage.awaits:
            self._move_record(deployment, outlives=True)
        if stage.requires and deployment.balancer:
            self._await_health(deployment, stage.requires)

    def _examine(self, deployment: Deployment) -> Fleet:
        return examine(deployment, self.environment, self.options)

    def _await_health(self, deployment: Deployment, numbers: Sequence[int]) -> None:
        with self._phase("balancer") as phase:
            phase.outcome = await_health(deployment, self.environment, numbers)

    def _drain(self, deployment: Deployment, numbers: Sequence[int]) -> None:
        with self._phase("drain") as phase:
            bare = self._examine(deployment).bare.intersection(numbers)
            found = find_hosts(deployment, self.environment, self.options)
            hosts = [host for host in found if host.number in numbers and host.number not in bare]
            silent = [host.number for host in hosts if not self._leave(host, deployment)]
            phase.outcome = f"{name_hosts(list(numbers))} without new requests"
            if silent:
                phase.outcome += f" ({name_hosts(silent)} did not answer)"
            if bare:
                phase.outcome += f" ({name_hosts(sorted(bare))} never had any)"

    def _leave(self, host: Host, deployment: Deployment) -> bool:
        """Whether the host has answered. One that is dead gets no requests, so it need not leave."""
        result = host.read(f"{DRAIN}\n")
        if result.status == SSH_FAILED:
            if find_unhealthy(read_health(deployment, self.environment), [host.number]):
                return False
            raise Failure(
                f"SSH does not reach host {host.number}, which serves requests: is your address in ssh_cidrs? Nothing "
                "was changed in this stage; run this again"
            )
        if not result.succeeded:
            raise Failure(f"host {host.number} does not drain, for the reason above: fix that and run this again")
        return True

    # --- A stage ---

    def _plan(self, stage: Stage, announced: Mapping[str, list[str]], arguments: Sequence[str] = ()) -> str:
        """Saves the plan of a later stage, which contains nothing but what was announced. Returns its summary."""
        with self._phase("infra") as phase:
            self.cloud.plan(shape=stage.shape, arguments=arguments or stage.arguments)
            plan = self.cloud.saved_plan()
            refuse_unannounced(plan.find_unannounced(announced, ENTRY_TYPES), self.environment.name)
            phase.outcome = plan.summary
        return phase.outcome

    def _apply(self, stage: Stage) -> None:
        log = self.environment.shown(self.environment.work / "cloud.log")
        step(f"AWS takes its time, 10 minutes for a new database: 'tail -f {log}' in another terminal shows it at work")
        with self._phase("cloud") as phase:
            phase.outcome = self.cloud.apply(RecordAnnouncer(self.environment, stage.shape.entry))

    # --- Restarts ---

    def _restart_hosts(self, stage: Stage, changes: str) -> str:
        """Restarts the hosts behind the balancer whose type changes, one by one and before others leave. Returns the
        changes that are left."""
        plan = self.cloud.saved_plan()
        if not plan.restarted_hosts:
            return changes
        deployment = read_deployment(self.cloud)
        if deployment.entry == HOST:
            return changes
        fleet = self._examine(deployment)
        restarting = [number for number in plan.restarted_hosts if number in fleet.in_service]
        if not restarting:
            return changes
        # Those that Ansible will set up, and dead ones that leave, will not be healthy before.
        serving = set(deployment.numbers) - fleet.bare - set(plan.created_hosts) - (fleet.dead & set(stage.drains))
        if len(serving) == 1:
            raise Failure(
                f"{name_hosts(restarting)} would restart while no other host serves: set instance_type back in the "
                "form, and run this again; it can change once there are others"
            )
        for number in restarting:
            self._restart(stage, number, sorted(serving - {number}), plan.changes)
        return self._plan(stage, plan.changes)

    def _restart(self, stage: Stage, number: int, others: Sequence[int], announced: Mapping[str, list[str]]) -> None:
        deployment = read_deployment(self.cloud)
        self._await_health(deployment, others)
        self._drain(deployment, [number])
        self._plan(stage, announced, [f'-target=aws_instance.host["{number}"]'])
        with self._phase("cloud") as phase:
            phase.outcome = f"host {number}: {self.cloud.apply()}"
        self._await_health(read_deployment(self.cloud), [number])

    def _phase(self, name: str) -> console.PhaseContext:
        return console.phase(name, self.environment.work)


def refuse_unannounced(addresses: Sequence[str], environment: str) -> None:
    """Fails if a stage would change more than was confirmed."""
    if addresses:
        shown = ", ".join(addresses[:3]) + (" and others" if len(addresses) > 3 else "")
        raise Failure(
            f"the next stage would change what was not announced ({shown}), so nothing of it was done: see 'make plan "
            f"ENV={environment}'; 'make deploy' goes on from here once you have confirmed that"
        )
