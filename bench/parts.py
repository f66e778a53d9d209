"""What takes part in a measurement: MySQL, the service, and the two load tools."""

import json
import os
import pathlib
import re
import resource
import socket
import statistics
import subprocess
import time
import urllib.error
import urllib.request

from operations import CONSUMING, HERE, TOKEN_KEYS, fill

TICKS = os.sysconf("SC_CLK_TCK")


class Mysql:
    """A server in a container, reached over the loopback address."""

    def __init__(self, container, port, password):
        self.container, self.port, self.password = container, port, password

    def run(self, sql, database=""):
        """Runs statements, and returns what they say as lines."""
        command = ["docker", "exec", "--interactive", "--env", "MYSQL_PWD", self.container]
        command += ["mysql", "--user=root", "--skip-column-names", "--batch", *([database] if database else [])]
        environment = {**os.environ, "MYSQL_PWD": self.password}
        done = subprocess.run(command, input=sql, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"error: MySQL refuses: {done.stderr.strip()}")
        return done.stdout.splitlines()

    def fill(self, data):
        """Fills a migrated database; adds to one that was filled before."""
        self.run("\n".join(f"{statement};" for statement in fill.statements(data.messages, data.users)), data.name)

    def url(self, database, tls):
        mode = "REQUIRED" if tls else "DISABLED"
        return f"mysql://root:{self.password}@127.0.0.1:{self.port}/{database}?ssl-mode={mode}"

    def client_files(self, folder):
        """Writes the files that sysbench needs for TLS into the folder, under the names that it expects."""
        for theirs, ours in (("ca", "cacert"), ("client-cert", "client-cert"), ("client-key", "client-key")):
            content = subprocess.run(
                ["docker", "exec", self.container, "cat", f"/var/lib/mysql/{theirs}.pem"],
                capture_output=True,
                check=True,
            ).stdout
            (folder / f"{ours}.pem").write_bytes(content)

    def processor_seconds(self):
        """Of the server, as the kernel counts them."""
        pid = subprocess.run(
            ["docker", "inspect", "--format", "{{.State.Pid}}", self.container],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        return processor_seconds(pid)

    def prepared(self):
        """Statements that are prepared on any connection."""
        return set(self.run("SELECT DISTINCT sql_text FROM performance_schema.prepared_statements_instances"))


class Service:
    """A running service; ended at the end of a `with`."""

    def __init__(self, binary, mysql, database, port, tls=False, settings=(), address="127.0.0.1"):
        self.binary, self.port, self.address = binary, port, address
        # Variables of the bench itself it would take for misspelt settings.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HEROLO_")}
        self.environment = {
            **inherited,
            "HEROLO_DATABASE_URL": mysql.url(database, tls),
            "HEROLO_TOKEN_KEYS": TOKEN_KEYS,
            "HEROLO_ADDRESS": address,
            "HEROLO_PORT": str(port),
            "HEROLO_LIMIT_LOGINS": "0",  # wrk is one client
            "HEROLO_LIMIT_SIGN_UPS": "0",
            "HEROLO_LIMIT_SENDS": "0",
            "HEROLO_LIMIT_SEARCHES": "0",
            **dict(settings),
        }
        self.process = None
        self.start_seconds = None

    def migrate(self):
        subprocess.run([self.binary, "migrate"], env=self.environment, check=True, capture_output=True)

    def __enter__(self):
        with socket.socket() as probe:
            if probe.connect_ex((self.address, self.port)) == 0:
                raise SystemExit(
                    f"error: port {self.port} of {self.address}, which the bench needs for the service, is taken: "
                    "stop what listens there and run this again"
                )
        begin = time.monotonic()
        self.process = subprocess.Popen(
            [self.binary, "serve"], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while not self.answers("/readyz"):
            if self.process.poll() is not None or time.monotonic() - begin > 60:
                self.process.kill()
                raise SystemExit("error: the service does not start: run it by hand and see what it says")
            time.sleep(0.001)
        self.start_seconds = time.monotonic() - begin
        return self

    def __exit__(self, *_):
        self.process.send_signal(2)
        self.process.wait(30)

    @property
    def url(self):
        return f"http://{self.address}:{self.port}"

    def answers(self, path):
        try:
            with urllib.request.urlopen(self.url + path, timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def memory_kib(self, line="VmRSS"):
        """What /proc says of it: VmRSS is its memory now, VmHWM the most that it ever had."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(rf"{line}:\s+(\d+)", status).group(1))

    def processor_seconds(self):
        return processor_seconds(self.process.pid)


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Outcome(dict):
    """What one run of a load tool came to."""

    def __init__(self, requests, seconds, p50_ms, p99_ms, refused=0, broken=0, **more):
        super().__init__(
            requests=requests,
            seconds=seconds,
            per_second=requests / seconds,
            p50_ms=p50_ms,
            p99_ms=p99_ms,
            refused=refused,
            broken=broken,
            **more,
        )


def summary(outcomes):
    """Median and spread of several runs."""
    rates = [outcome["per_second"] for outcome in outcomes]
    result = {key: statistics.median(outcome[key] for outcome in outcomes) for key in outcomes[0]}
    return {**result, "runs": len(outcomes), "least": min(rates), "most": max(rates)}


def children_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def drive_floor(mysql, database, operation, work, connections, seconds, tls=False):
    """The statements alone, by sysbench."""
    command = [
        "sysbench",
        str(HERE / "floor.lua"),
        f"--operation={operation}",
        f"--work={work}",
        "--db-driver=mysql",
        "--mysql-host=127.0.0.1",
        f"--mysql-port={mysql.port}",
        "--mysql-user=root",
        f"--mysql-password={mysql.password}",
        f"--mysql-db={database}",
        f"--mysql-ssl={'on' if tls else 'off'}",
        f"--threads={connections}",
        f"--time={seconds}",
        "--percentile=99",
        "--histogram=on",
    ]
    if operation in CONSUMING:
        # A little less than there are, because threads do not share them out evenly.
        command.append(f"--events={len(work.read_text(encoding='utf-8').splitlines()) * 9 // 10}")
    command.append("run")
    if tls:
        mysql.client_files(work.parent)
    server, tool = mysql.processor_seconds(), children_seconds()
    text = run_tool(command, work.parent)
    server, tool = mysql.processor_seconds() - server, children_seconds() - tool
    events = int(re.search(r"total number of events:\s+(\d+)", text).group(1))
    took = float(re.search(r"total time:\s+([\d.]+)s", text).group(1))
    return Outcome(
        events,
        took,
        median_of_histogram(text),
        float(re.search(r"99th percentile:\s+([\d.]+)", text).group(1)),
        mysql_us=server / max(events, 1) * 1e6,
        tool_us=tool / max(events, 1) * 1e6,
    )


def median_of_histogram(text):
    bars = [(float(value), int(count)) for value, count in re.findall(r"^\s*([\d.]+) \|[* ]*(\d+)$", text, re.M)]
    passed, half = 0, sum(count for _, count in bars) / 2
    for value, count in bars:
        passed += count
        if passed >= half:
            return value
    return 0.0


def drive_service(service, mysql, work, connections, seconds, pause_ms=0):
    """The same over HTTP, by wrk. Each connection may rest before each request."""
    own, server, tool = service.processor_seconds(), mysql.processor_seconds(), children_seconds()
    outcome = drive_wrk(service.url, work, connections, seconds, pause_ms)
    own, server = service.processor_seconds() - own, mysql.processor_seconds() - server
    tool, requests = children_seconds() - tool, max(outcome["requests"], 1)
    outcome |= {"service_us": own / requests * 1e6, "mysql_us": server / requests * 1e6}
    outcome["tool_us"] = tool / requests * 1e6
    return outcome


def drive_wrk(url, work, connections, seconds, pause_ms=0, fresh=False):
    """Requests by wrk, each on a connection of its own if they are to be fresh."""
    threads = min(2, connections)
    command = [
        "wrk",
        f"--threads={threads}",
        f"--connections={connections}",
        f"--duration={seconds}s",
        "--timeout=10s",
        f"--script={HERE / 'service.lua'}",
        url,
        "--",
        str(work),
        str(threads),
        str(pause_ms),
        "fresh" if fresh else "kept",
    ]
    said = json.loads(run_tool(command).splitlines()[-1])
    return Outcome(
        *(said[name] for name in ("requests", "seconds", "p50_ms", "p99_ms", "refused", "broken")),
    )


def drive_h2load(url, work, connections, seconds, folder):
    """Requests over HTTP/2 by h2load, which sends headers and a body of one kind only: those of the first piece of
    work. A connection has four streams, as a browser's that loads a page."""
    method, path, token, body, *_ = work.read_text(encoding="ascii").splitlines()[0].split("\t")
    clients, log = max(1, connections // 4), folder / "h2load.log"
    log.unlink(missing_ok=True)
    command = ["h2load", f"--duration={seconds}", f"--clients={clients}", "--max-concurrent-streams=4", "--threads=2"]
    command += [f"--log-file={log}", *(["--header", f"authorization: Bearer {token}"] if token else [])]
    if body:
        (folder / "h2load.body").write_text(body, encoding="utf-8")
        command += ["--header", "content-type: application/json", f"--data={folder / 'h2load.body'}"]
    if (method == "POST") != bool(body):
        raise SystemExit(f"error: h2load cannot send a {method} here")
    text = run_tool([*command, url + path])
    done, succeeded, failed, errored = (
        int(re.search(rf"(\d+) {word}", text).group(1)) for word in ("done", "succeeded", "failed", "errored")
    )
    times = sorted(int(line.split("\t")[2]) / 1e3 for line in log.read_text(encoding="ascii").splitlines())
    p50, p99 = (times[int(len(times) * share)] if times else 0.0 for share in (0.5, 0.99))
    return Outcome(done, seconds, p50, p99, refused=done - succeeded, broken=failed + errored - (done - succeeded))


def run_tool(command, folder=None):
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode != 0:
        raise SystemExit(f"error: {command[0]} fails: {(done.stdout + done.stderr).strip()[-2000:]}")
    return done.stdout
