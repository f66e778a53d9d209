"""Plans and applies a change of an environment's databases, as `make restore` does without a host.

    change_databases.py ENVIRONMENT add NAME SNAPSHOT
    change_databases.py ENVIRONMENT use|retire|remove NAME

Prints what the plan would change.
"""

import sys

from herolo_operator.cloud import Cloud
from herolo_operator.databases import Origin
from herolo_operator.environment import Options, choose_environment

name, change, database, *snapshot = sys.argv[1:]
options = Options.read()
cloud = Cloud(choose_environment(name, options.environments), options)
cloud.state()
databases = cloud.databases
match change:
    case "add":
        databases = databases.adding(database, Origin(snapshot=snapshot[0]))
    case "use":
        databases = databases.using(database)
    case "retire":
        databases = databases.retiring(database)
    case "remove":
        databases = databases.without(database)
cloud.plan(databases=databases)
print(cloud.saved_plan().summary)
cloud.apply()
