//! The service as operators run it: the command in a separate process, with an environment that the test sets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use reqwest::{Client, Method};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::api::{Answer, User};
use super::{PATIENCE, SIGNING_KEY, token_keys, until};

/// The command with its environment and a working directory of its own.
#[derive(Clone)]
pub(crate) struct Herolo {
    environment: BTreeMap<String, String>,
    directory: Arc<TempDir>,
}

/// The exit code and output of a command.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Herolo {
    /// Without settings.
    pub(crate) fn bare() -> Self {
        Self {
            environment: BTreeMap::new(),
            directory: Arc::new(TempDir::new().expect("a temporary directory")),
        }
    }

    /// The required settings, and a port that the system chooses.
    pub(crate) fn on(database_url: &str) -> Self {
        Self::bare()
            .set("HEROLO_PORT", "0")
            .set("HEROLO_DATABASE_URL", database_url)
            .set("HEROLO_TOKEN_KEYS", &token_keys(&[("test", SIGNING_KEY)]))
            .set("HEROLO_LIMIT_LOGINS", "0")
            .set("HEROLO_LIMIT_SIGN_UPS", "0")
            .set("HEROLO_LIMIT_SENDS", "0")
            .set("HEROLO_LIMIT_SEARCHES", "0")
    }

    pub(crate) fn set(mut self, variable: &str, value: &str) -> Self {
        self.environment
            .insert(variable.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn unset(mut self, variable: &str) -> Self {
        self.environment.remove(variable);
        self
    }

    /// Writes a file into the working directory.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).expect("the directory is ours");
        path
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The command, to be adjusted further.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_herolo-under-test"));
        command
            .args(arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.directory())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs the command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        finish(self.command(arguments)).await
    }

    /// Starts the service and waits until it listens.
    pub(crate) async fn serve(&self) -> Process {
        let mut process = Process::start(self.clone(), &["serve"]);
        until("the process listens", async || {
            process.log().contains("listening on http://") || process.has_ended()
        })
        .await;
        process.url = url_in(&process.log());
        process
    }
}

/// Runs a command to its end.
pub(crate) async fn finish(mut command: Command) -> Finished {
    let output = timeout(2 * PATIENCE, command.output())
        .await
        .expect("the command ends")
        .expect("the command starts");
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The URL that the service listens on, from its log.
fn url_in(log: &str) -> String {
    let url = log
        .split("listening on ")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    url.unwrap_or_else(|| panic!("the service does not listen:\n{log}"))
        .to_owned()
}

/// A running command. It is killed at the end of the test.
pub(crate) struct Process {
    herolo: Herolo,
    child: Mutex<Child>,
    output: Arc<Mutex<Vec<u8>>>,
    url: String,
    client: Client,
}

impl Process {
    /// Starts the command without waiting.
    pub(crate) fn start(herolo: Herolo, arguments: &[&str]) -> Self {
        let mut child = herolo
            .command(arguments)
            .spawn()
            .expect("the command starts");
        let output = Arc::default();
        collect(child.stdout.take().expect("a pipe"), &output);
        collect(child.stderr.take().expect("a pipe"), &output);
        Self {
            herolo,
            child: Mutex::new(child),
            output,
            url: String::new(),
            client: Client::new(),
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The output so far, of standard output and standard error.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().expect("no test panicked in it")).into_owned()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.client.get(format!("{}{path}", self.url))).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self
            .client
            .request(Method::POST, format!("{}{path}", self.url));
        Answer::of(request.json(body)).await
    }

    /// Signs a user up.
    pub(crate) async fn user(&self, name: &str) -> User {
        User::sign_up(&self.url, name).await
    }

    /// Runs the health check, as the container does.
    pub(crate) async fn healthcheck(&self) -> Finished {
        let port = self.url.rsplit(':').next().expect("a port");
        let herolo = self.herolo.clone().set("HEROLO_PORT", port);
        herolo.run(&["healthcheck"]).await
    }

    pub(crate) async fn until_ready(&self) {
        until("the process is ready", async || {
            self.get("/readyz").await.status == 200
        })
        .await;
    }

    pub(crate) async fn until_log_says(&self, text: &str) {
        until(text, async || self.log().contains(text)).await;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the process runs");
    }

    /// Waits until the process exits.
    pub(crate) async fn exit(&self) -> ExitStatus {
        until("the process ends", async || self.has_ended()).await;
        let mut child = self.child.lock().expect("no test panicked in it");
        let status = child.try_wait().expect("it is our child");
        status.expect("it has ended")
    }

    /// The peak memory in KiB; `None` if the system does not report it.
    pub(crate) fn memory_peak_kib(&self) -> Option<u64> {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid().as_raw_nonzero()));
        let status = status.ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    /// Limits the open files (including sockets) to `count` more than now.
    #[cfg(target_os = "linux")]
    pub(crate) fn leave_room_for_files(&self, count: u64) {
        use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.pid().as_raw_nonzero()));
        let open = open.expect("Linux tells").count() as u64;
        let limit = Rlimit {
            current: Some(open + count),
            maximum: getrlimit(Resource::Nofile).maximum,
        };
        prlimit(Some(self.pid()), Resource::Nofile, limit).expect("it is our child");
    }

    fn pid(&self) -> Pid {
        let child = self.child.lock().expect("no test panicked in it");
        let id = child.id().expect("the process runs");
        i32::try_from(id)
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process id")
    }

    fn has_ended(&self) -> bool {
        let mut child = self.child.lock().expect("no test panicked in it");
        child.try_wait().expect("it is our child").is_some()
    }
}

/// Reads the output of the process, so that its writes never block.
fn collect(mut pipe: impl AsyncRead + Unpin + Send + 'static, output: &Arc<Mutex<Vec<u8>>>) {
    let output = Arc::clone(output);
    tokio::spawn(async move {
        let mut chunk = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut chunk).await {
            output
                .lock()
                .expect("no test panicked in it")
                .extend_from_slice(&chunk[..length]);
        }
    });
}
