"""Changes the number of an environment's hosts to that of its form, or makes the host REPLACE anew, stage by stage, as
`make deploy` does, but without Ansible.

    change_hosts.py ENVIRONMENT

Prints each stage, with "configure" where Ansible would run.
"""

import sys

from herolo_operator.cloud import Cloud
from herolo_operator.environment import Options, choose_environment
from herolo_operator.form import wanted_hosts
from herolo_operator.rollout import Rollout
from herolo_operator.stages import plan_replacement, plan_stages, read_shape

options = Options.read()
environment = choose_environment(sys.argv[1], options.environments)
cloud = Cloud(environment, options)
state = cloud.check_state()
now = read_shape(state.outputs, state.hosts)
if options.replace and now:
    stages = plan_replacement(now, int(options.replace))
else:
    stages = plan_stages(now, wanted_hosts(environment))
announced = cloud.foresee(stages[-1].shape, stages[-1].arguments)[0].changes if len(stages) > 1 else {}
cloud.plan(shape=stages[0].shape, arguments=stages[0].arguments)
rollout = Rollout(cloud, lambda deployment: print("configure", *deployment.numbers))
deployment = rollout.perform(stages, announced, cloud.saved_plan().summary)
print("addresses", *deployment.addresses)
