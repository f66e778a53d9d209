//! The command line: `herolo [serve | migrate | healthcheck | openapi | user]`.

mod output;
mod user;

use std::fmt::Write as _;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use rocket::tokio::runtime::Builder;

use crate::cli::user::UserArguments;
use crate::config::{Config, SETTINGS};
use crate::ops::{drain, log};
use crate::{build, openapi};

/// Timeout of the health check.
const HEALTHCHECK_DEADLINE: Duration = Duration::from_secs(2);

/// A messaging service over REST, with its data in MySQL.
#[derive(Parser)]
#[command(name = "herolo", version, after_help = settings())]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Default)]
enum Command {
    /// Serve the API (the default).
    #[default]
    Serve,
    /// Migrate the database schema to this version, then exit. Safe to repeat.
    Migrate {
        /// Seconds to wait for a database that is still starting.
        #[arg(long, default_value_t = 60, value_name = "SECONDS")]
        wait: u64,
    },
    /// Check the health of the service on this machine, as the container health check does.
    Healthcheck,
    /// Print the OpenAPI document.
    Openapi,
    /// Manage accounts, as the operator.
    User(UserArguments),
}

/// Runs the command of the arguments, and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let outcome = match Arguments::parse().command.unwrap_or_default() {
        Command::Openapi => print(&openapi()),
        Command::Healthcheck => healthcheck(),
        command => {
            log::start_log();
            Config::load()
                .map_err(|error| error.to_string())
                .and_then(|config| match command {
                    Command::Migrate { wait } => {
                        run(1, migrate(&config, Duration::from_secs(wait)))
                    }
                    Command::User(arguments) => run(1, async {
                        let output = user::run(&config, &arguments).await?;
                        print(&output)
                    }),
                    _ => run(usize::from(config.workers), serve(&config)),
                })
        }
    };
    finish(outcome)
}

/// Runs a future to completion. A single worker runs on this thread, which then never has to wake another one.
fn run(workers: usize, work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let mut builder = match workers {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(workers).enable_all().build();
    runtime
        .map_err(|error| format!("cannot start {workers} threads: {error}; set HEROLO_WORKERS"))?
        .block_on(work)
}

/// Prints to standard output. A reader that closes the pipe early is no error.
fn print(text: &str) -> Result<(), String> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

fn finish(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // If this fails, no channel is left to report it.
            let _ = writeln!(std::io::stderr(), "herolo: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: &Config) -> Result<(), String> {
    let rocket = build(config).map_err(|error| error.to_string())?;
    match rocket.attach(drain::on_signals()).launch().await {
        Ok(_) => Ok(()),
        Err(error) => Err(explain(config, &error)),
    }
}

fn explain(config: &Config, error: &rocket::Error) -> String {
    let address = SocketAddr::from((config.address, config.port));
    match error.kind() {
        rocket::error::ErrorKind::Bind(why) => {
            let fix = match why.kind() {
                ErrorKind::AddrNotAvailable => {
                    "set HEROLO_ADDRESS to an address of this machine, or to 0.0.0.0 for all of them"
                }
                ErrorKind::PermissionDenied => "set HEROLO_PORT to 1024 or more",
                _ => "set HEROLO_PORT to a free port",
            };
            format!("cannot listen on {address}: {why}; {fix}")
        }
        other => format!("the service ended: {other}"),
    }
}

/// The first process of a container receives only signals that it handles, so the migration handles them.
async fn migrate(config: &Config, wait: Duration) -> Result<(), String> {
    rocket::tokio::select! {
        outcome = crate::migrate(config, wait) => outcome.map_err(|error| error.to_string()),
        () = drain::termination_requested() => {
            Err("interrupted; run it again (a migration is safe to repeat)".to_owned())
        }
    }
}

/// A service is healthy if it responds and has reached its database at least once.
fn healthcheck() -> Result<(), String> {
    let service = Config::listen_address().map_err(|error| error.to_string())?;
    let address = SocketAddr::from((reachable(service.ip()), service.port()));
    let response =
        get(address, "/livez").map_err(|error| format!("no response from {address}: {error}"))?;
    match response {
        response if !response.starts_with("HTTP/1.1 200 ") => {
            Err("the service is not healthy".to_owned())
        }
        response if !response.contains(r#""started":true"#) => {
            Err("the service has not reached its database yet".to_owned())
        }
        _ => Ok(()),
    }
}

/// The loopback address, if the service listens on all addresses of this machine.
fn reachable(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

/// A minimal HTTP/1.1 GET: an HTTP client library would be too large for one probe.
fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, HEALTHCHECK_DEADLINE)?;
    stream.set_read_timeout(Some(HEALTHCHECK_DEADLINE))?;
    stream.set_write_timeout(Some(HEALTHCHECK_DEADLINE))?;
    stream.write_all(
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut response = String::new();
    stream.take(64 * 1024).read_to_string(&mut response)?;
    Ok(response)
}

/// The settings for `--help`.
fn settings() -> String {
    let mut text = "Settings, from the environment, Rocket.toml, or the file that HEROLO_CONFIG names. To read a\n\
                    value from a file, set <NAME>_FILE to the path of the file.\n"
        .to_owned();
    for (name, meaning, default) in SETTINGS {
        let _ = write!(text, "\n  {name}\n      {meaning}");
        let _ = match *default {
            "" => write!(text, " (required)"),
            default => write!(text, " (default: {default})"),
        };
    }
    text.push_str(
        "\n\nLogs are written to standard error; RUST_LOG sets the level (default: info).",
    );
    text
}
