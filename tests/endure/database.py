"""MySQL as production has it: durable, with a user of its own for the service; and what can happen to it."""

from __future__ import annotations

import secrets
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from support.services import START_PATIENCE, Mysql, docker, free_port, until, write_secret

# Each commit is on the disk before it is acknowledged, which is MySQL's default.
MAX_CONNECTIONS = 200
OPTIONS = ("--mysqlx=OFF", f"--max-connections={MAX_CONNECTIONS}")
NAME = "herolo"
USER = "herolo"
# Within the server, so that a statement is still under way when its connection is killed.
PROCEDURES = f"""
CREATE DATABASE endure;
DELIMITER //
CREATE PROCEDURE endure.kill_busy(wanted INT)
BEGIN
  DECLARE victim BIGINT;
  DECLARE killed, looked INT DEFAULT 0;
  DECLARE gone BOOLEAN;
  DECLARE CONTINUE HANDLER FOR 1094 SET gone = TRUE;
  WHILE killed < wanted AND looked < 1000 * wanted DO
    SET victim = NULL, gone = FALSE, looked = looked + 1;
    -- Not from INNODB_TRX, which fails on statements that are no text.
    SELECT processlist_id INTO victim FROM performance_schema.threads
      WHERE processlist_user = '{USER}' AND (processlist_command = 'Query' OR thread_id IN
        (SELECT thread_id FROM performance_schema.events_transactions_current WHERE state = 'ACTIVE'))
      ORDER BY RAND() LIMIT 1;
    IF victim IS NULL THEN DO SLEEP(0.001);
    ELSE
      KILL victim;
      IF NOT gone THEN SET killed = killed + 1; END IF;
      DO SLEEP(0.03);
    END IF;
  END WHILE;
  SELECT killed;
END //
CREATE PROCEDURE endure.kill_all()
BEGIN
  DECLARE victim BIGINT;
  DECLARE CONTINUE HANDLER FOR 1094 BEGIN END;
  REPEAT
    SET victim = NULL;
    SELECT id INTO victim FROM performance_schema.processlist WHERE user = '{USER}' LIMIT 1;
    IF victim IS NOT NULL THEN KILL victim; END IF;
  UNTIL victim IS NULL END REPEAT;
END //
DELIMITER ;
"""
GREETING = 10  # the version of the protocol, in the first byte that a server sends


class Database(Mysql):
    """A MySQL server whose data outlive it."""

    def __init__(self, image: str, folder: Path, run_options: Sequence[str] = ()) -> None:
        super().__init__(image, folder, OPTIONS, free_port(), run_options)
        self._user_password = secrets.token_hex(16)

    def start(self) -> None:
        """Starts it with an empty database, and a user who may use that alone."""
        super().start()
        said = self.administrate(
            f"{PROCEDURES} CREATE DATABASE {NAME}; CREATE USER {USER} IDENTIFIED BY '{self._user_password}';"
            f"GRANT ALL ON {NAME}.* TO {USER}"
        )
        assert not said, said

    def url_file(self, port: int, host: str = "127.0.0.1") -> Path:
        """The file that contains the URL of the database, as it is reached on this port of this host."""
        file = self.folder / f"database-url-{port}"
        write_secret(file, f"mysql://{USER}:{self._user_password}@{host}:{port}/{NAME}?ssl-mode=REQUIRED\n")
        return file

    def version(self) -> str:
        """The version of the server."""
        return self.administrate("SELECT VERSION()").strip()

    def administrate(self, statements: str) -> str:
        """Runs statements as the administrator, and returns what they print. Errors do not end it."""
        done = subprocess.run(
            ["docker", "exec", "--interactive", self.container, "mysql", "--batch", "--skip-column-names", "--force"],
            input=statements,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.stdout

    def connections(self) -> int:
        """How many connections the service has to it."""
        said = self.administrate(f"SELECT COUNT(*) FROM performance_schema.processlist WHERE user = '{USER}'").strip()
        if not said.isdecimal():
            raise RuntimeError(f"the connections of MySQL cannot be counted: {said}")
        return int(said)

    def kill(self) -> None:
        """Kills mysqld, as a power cut would, as far as one process can tell."""
        docker("kill", "--signal", "KILL", self.container)
        docker("wait", self.container)

    def restart(self) -> float:
        """Starts it again with its data; returns the seconds until it accepted connections."""
        begun = time.monotonic()
        docker("start", self.container)
        until(self.greets, "MySQL accepts connections", START_PATIENCE)
        return time.monotonic() - begun

    def greets(self) -> bool:
        """Whether a server answers at the port, and not just Docker."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.settimeout(1)
                packet = connection.recv(5)
                return len(packet) == 5 and packet[4] == GREETING
        except OSError:
            return False

    def kill_connections(self, number: int) -> int:
        """Kills so many of the service's connections, each in the middle of a statement or of a transaction. Returns
        how many it met."""
        return int(self.administrate(f"CALL endure.kill_busy({number})").strip())

    def set_read_only(self, is_read_only: bool) -> None:
        """Refuses all changes, as the former writer does after a failover."""
        self.administrate(
            f"SET GLOBAL super_read_only = {int(is_read_only)}; SET GLOBAL read_only = {int(is_read_only)}"
        )

    def exhaust_connections(self, seconds: float) -> None:
        """Ends the service's connections, and has none for it until the time is over."""
        # This session is the only one that is allowed.
        self.administrate(
            f"SET GLOBAL max_connections = 1; CALL endure.kill_all(); SELECT SLEEP({seconds});"
            f"SET GLOBAL max_connections = {MAX_CONNECTIONS}"
        )
