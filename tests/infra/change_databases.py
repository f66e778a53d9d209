"""Plans and applies a change of an environment's databases, as `make restore` does without a host.

    change_databases.py ENVIRONMENT add NAME BACKUP
    change_databases.py ENVIRONMENT use|retire|remove NAME

Prints what the plan would change.
"""

import sys

from herolo_operator.cloud import Cloud
from herolo_operator.databases import identifier_of
from herolo_operator.environment import Options, choose_environment
from herolo_operator.snapshots import read_origin

name, change, database, *backup = sys.argv[1:]
options = Options.read()
cloud = Cloud(choose_environment(name, options.environments), options)
cloud.state()
databases = cloud.databases
match change:
    case "add":
        databases = databases.adding(
            database, read_origin(backup[0], identifier_of(cloud.environment, databases.current))
        )
    case "use":
        databases = databases.using(database)
    case "retire":
        databases = databases.retiring(database)
    case "remove":
        databases = databases.without(database)
cloud.plan(databases=databases)
print(cloud.saved_plan().summary)
cloud.apply()
