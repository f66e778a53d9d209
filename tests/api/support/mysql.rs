//! One MySQL server for the whole run: a container that testcontainers starts, or the server that
//! `HEROLO_TEST_DATABASE_URL` names.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use sqlx::mysql::MySqlConnectOptions;
use testcontainers::core::{IntoContainerPort as _, WaitFor};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt as _};
use tokio::sync::OnceCell;

const DEFAULT_IMAGE: &str = "mysql:8.4";
const PASSWORD: &str = "only-for-tests";
const PROVIDED: &str = "MySQL starts in a container (`make test` provides the image)";
/// By which `scripts/test` finds containers that are left.
const LABEL: &str = "herolo.test";
/// Attempts to start a container.
const ATTEMPTS: u32 = 5;
/// Includes the time to pull the image.
const START_UP_DEADLINE: Duration = Duration::from_mins(10);
/// A test run's data may be lost with the machine, and many small services connect at once.
const SERVER_OPTIONS: [&str; 5] = [
    "--max-connections=1000",
    // Statements are counted by database, and each test has one: the default holds those of about 300 tests.
    "--performance-schema-digests-size=50000",
    "--skip-log-bin",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=OFF",
];

struct Server {
    options: MySqlConnectOptions,
    /// Never dropped, because statics are not; the reaper removes it.
    _container: Option<ContainerAsync<GenericImage>>,
}

static SERVER: OnceCell<Server> = OnceCell::const_new();

/// The options to connect to the server as its administrator.
pub(super) async fn server() -> &'static MySqlConnectOptions {
    &SERVER.get_or_init(start).await.options
}

async fn start() -> Server {
    if let Ok(url) = env::var("HEROLO_TEST_DATABASE_URL") {
        let options = url
            .parse()
            .expect("HEROLO_TEST_DATABASE_URL is a mysql:// URL");
        return Server {
            options,
            _container: None,
        };
    }
    let container = start_container().await;
    remove_when_this_process_ends(container.id());
    let port = container
        .get_host_port_ipv4(3306)
        .await
        .expect("the container publishes its port");
    let options = MySqlConnectOptions::new()
        .host("127.0.0.1")
        .port(port)
        .username("root")
        .password(PASSWORD);
    Server {
        options,
        _container: Some(container),
    }
}

/// Docker chooses a port, which another process may have. Then it chooses the next one for the next container.
async fn start_container() -> ContainerAsync<GenericImage> {
    for _ in 1..ATTEMPTS {
        match image().start().await {
            Err(error) if format!("{error:?}").contains("address already in use") => {
                remove_those_that_did_not_start();
            }
            started => return started.expect(PROVIDED),
        }
    }
    image().start().await.expect(PROVIDED)
}

fn image() -> ContainerRequest<GenericImage> {
    let image = env::var("HEROLO_TEST_MYSQL_IMAGE").unwrap_or_else(|_| DEFAULT_IMAGE.to_owned());
    let (name, tag) = image.rsplit_once(':').expect("the image has a tag");
    GenericImage::new(name, tag)
        // The space excludes the ports of the initialising server and of the X plugin.
        .with_wait_for(WaitFor::message_on_stderr("port: 3306 "))
        .with_exposed_port(3306.tcp())
        .with_env_var("MYSQL_ROOT_PASSWORD", PASSWORD)
        .with_label(LABEL, run())
        .with_cmd(SERVER_OPTIONS)
        .with_startup_timeout(START_UP_DEADLINE)
}

/// What distinguishes this run from others on the machine.
fn run() -> String {
    env::var("HEROLO_TEST_RUN").unwrap_or_else(|_| format!("process-{}", std::process::id()))
}

fn remove_those_that_did_not_start() {
    let label = format!("label={LABEL}={}", run());
    let found = Command::new("docker")
        .args([
            "ps",
            "--all",
            "--quiet",
            "--filter",
            "status=created",
            "--filter",
            &label,
        ])
        .output()
        .expect("docker is there");
    let found = String::from_utf8_lossy(&found.stdout);
    let removed = Command::new("docker")
        .args(["rm", "--volumes"])
        .args(found.split_whitespace())
        .stdout(Stdio::null())
        .status();
    assert!(removed.is_ok_and(|status| status.success()), "{found}");
}

/// Starts a process that removes the container after this one has ended, in whatever way: it reads from a pipe that
/// closes then. Statics are never dropped, and no code runs after a SIGKILL.
fn remove_when_this_process_ends(container: &str) {
    let reaper = Command::new("sh")
        .args([
            "-c",
            r#"read -r _; exec docker rm --force --volumes "$0""#,
            container,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // The reaper must not receive the Ctrl-C that ends the tests.
        .process_group(0)
        .spawn()
        .expect("sh is there");
    // Keeps the pipe open until this process ends.
    std::mem::forget(reaper);
}
