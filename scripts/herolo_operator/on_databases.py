"""Runs on the host as root, fed to its Python over SSH: compares two databases, or moves the service from one to the
other. `main` is called with the task: what to do, the host names of both databases (`former` may be empty), and how to
log in. Prints a JSON document."""

import contextlib
import json
import subprocess
import sys
import time

import pymysql

CA = "/etc/herolo/database-ca.pem"
SERVICE = "herolo_service"
SKIPPED = 1_000_000  # ids, which is more than are assigned in the minutes of a restore
UNKNOWN = 1_000_000_000  # likewise, if the former database does not tell its ids
LIMIT = 30  # seconds in which connections end

task = {}


def main(values):
    task.update(values)
    actions = {
        "schema": lambda: schema(connect_next()),
        "compare": compare,
        "raise_ids": raise_ids,
        "move": move,
        "fence": fence_former,
        "open": open_former,
    }
    try:
        print(json.dumps(actions[task["action"]]()))
    except pymysql.MySQLError as error:
        sys.exit(f"MySQL: {error}")


# --- Access ---


def connect(host, user, password):
    return pymysql.connect(
        host=host,
        port=task["port"],
        user=user,
        password=password,
        database=task["name"],
        ssl={"ca": CA},
        connect_timeout=10,
        autocommit=True,
    )


def reach(host):
    """A connection of the master user, or None if there is no such database or if it does not answer."""
    try:
        return connect(host, task["master_user"], task["master_password"]) if host else None
    except pymysql.MySQLError:
        return None


def connect_next():
    return connect(task["next"], task["master_user"], task["master_password"])


def ask(database, statement, *values):
    with database.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall()


def ask_one(database, statement, *values):
    return ask(database, statement, *values)[0][0]


# --- What is in them ---


def schema(database):
    """The number of the newest migration."""
    return int(ask_one(database, "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations WHERE success"))


def figures(database):
    return {
        "schema": schema(database),
        "users": ask_one(database, "SELECT COUNT(*) FROM users"),
        "messages": ask_one(database, "SELECT COUNT(*) FROM messages"),
        "newest": str(ask_one(database, "SELECT MAX(created_at) FROM messages") or "none"),
    }


def compare():
    former, successor = reach(task["former"]), connect_next()
    return {
        "next": figures(successor),
        "former": figures(former) if former else None,
        "gone": {table: count_newer(former, successor, table) for table in ("users", "messages")} if former else None,
    }


def count_newer(former, successor, table):
    last = ask_one(successor, f"SELECT COALESCE(MAX(id), 0) FROM {table}")
    return ask_one(former, f"SELECT COUNT(*) FROM {table} WHERE id > %s", last)


# --- Ids ---


def next_ids(database):
    """The next id of each table that counts. (Without the setting, MySQL answers from a cache of a day.)"""
    ask(database, "SET SESSION information_schema_stats_expiry = 0")
    return dict(
        ask(
            database,
            "SELECT t.table_name, COALESCE(t.auto_increment, 1) FROM information_schema.tables t "
            "JOIN information_schema.columns c USING (table_schema, table_name) "
            "WHERE t.table_schema = %s AND c.extra LIKE %s",
            task["name"],
            "%auto_increment%",
        )
    )


def raise_ids(distance=SKIPPED // 2):
    """No id is assigned a second time: neither one that the backup does not know, nor one that the service assigns
    until it moves."""
    former, successor = reach(task["former"]), connect_next()
    used = next_ids(former) if former else {}
    for table, own in next_ids(successor).items():
        if former is None:
            ask(successor, f"ALTER TABLE {table} AUTO_INCREMENT = {own + UNKNOWN}")
        elif own <= used.get(table, 0) + distance:
            ask(successor, f"ALTER TABLE {table} AUTO_INCREMENT = {max(own, used.get(table, 0)) + SKIPPED}")


# --- Tokens ---


def keep_revocations():
    """Tokens that were revoked since the backup stay so: the epoch of no user goes back."""
    former, successor = reach(task["former"]), connect_next()
    if former is None:
        return
    own = epochs(successor)
    raised = [(epoch, user) for user, epoch in epochs(former).items() if epoch > own.get(user, 0)]
    successor.begin()  # one commit: the service waits meanwhile
    with successor.cursor() as cursor:
        cursor.executemany("UPDATE users SET token_epoch = %s WHERE id = %s", raised)
    successor.commit()


def epochs(database):
    """Those of the users that have ever had tokens revoked."""
    return dict(ask(database, "SELECT id, token_epoch FROM users WHERE token_epoch > 0"))


# --- Writes ---


def fence_former():
    """Ends all writes of the service to the former database: its user cannot log in any more, and its connections end.
    It ends them as that user, since RDS does not let the master user end those of others."""
    master = reach(task["former"])
    if not master:
        return
    own = log_in()
    lock(master, "LOCK")
    if not own and threads(master):  # an earlier run was interrupted in between
        lock(master, "UNLOCK")
        own = log_in()
        lock(master, "LOCK")
    end_connections(master, own)
    raise_ids(distance=0)
    keep_revocations()


def end_connections(master, own):
    deadline = time.monotonic() + LIMIT
    keep = own.thread_id() if own else 0
    while others := [thread for thread in threads(master) if thread != keep]:
        if not own or time.monotonic() > deadline:
            sys.exit(f"the connections of {SERVICE} to {task['former']} do not end")
        for thread in others:
            with contextlib.suppress(pymysql.MySQLError):  # it may just have ended
                ask(own, f"KILL {thread}")
    if own:
        own.close()


def log_in():
    try:
        return connect(task["former"], SERVICE, task["service_password"])
    except pymysql.MySQLError:
        return None


def threads(master):
    return [row[0] for row in ask(master, "SHOW PROCESSLIST") if row[1] == SERVICE]


def lock(master, word):
    ask(master, f"ALTER USER IF EXISTS '{SERVICE}'@'%' ACCOUNT {word}")


def move():
    """From here on requests are answered with 503, until the replicas with the other database are healthy."""
    fence_former()
    result = subprocess.run(task["deploy"].split(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode:
        open_former()
        sys.exit(f"the swarm does not take the stack: {result.stdout.strip()}")


def open_former():
    """The service goes on with the former database."""
    if master := reach(task["former"]):
        lock(master, "UNLOCK")
