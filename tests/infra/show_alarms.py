"""Prints what `make status` tells of the receivers of an environment's alarms, which needs no host, as JSON.

show_alarms.py ENVIRONMENT
"""

import json
import sys

from herolo_operator.alarms import show_alarms
from herolo_operator.aws import Aws
from herolo_operator.environment import Options, choose_environment

print(json.dumps(show_alarms(Aws(choose_environment(sys.argv[1], Options.read().environments)))))
