//! Options of client connections: a connection whose client stops reading is closed, and the kernel buffers little for
//! it.
//!
//! Rocket exposes neither its listening socket nor its connections. Connections inherit the options of the listening
//! socket, which is found among the file descriptors of the process.

use std::io;
use std::time::Duration;

use rocket::fairing::AdHoc;
use socket2::SockRef;

/// The time that written data may stay unacknowledged before the kernel ends the connection (`TCP_USER_TIMEOUT`,
/// <https://man7.org/linux/man-pages/man7/tcp.7.html>), which frees the memory of its response. A client that reads
/// slowly but steadily is served.
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of a response that the kernel buffers for a connection (it allocates twice as much). Its default is up to 4
/// MiB.
const SEND_BUFFER: usize = 64 * 1024;

/// Sets the options before the first connection is accepted.
pub(crate) fn bounded_writes() -> AdHoc {
    AdHoc::on_liftoff("bounded writes", |rocket| {
        Box::pin(async move {
            if let Err(error) = bound_writes(rocket.config().port) {
                tracing::error!("connections of clients that stop reading stay open: {error}");
            }
        })
    })
}

#[cfg(target_os = "linux")]
fn bound_writes(port: u16) -> io::Result<()> {
    let mut found = false;
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        let Some(number) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let socket = SockRef::from(&number);
        if listens_on(&socket, port) {
            socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIMEOUT))?;
            socket.set_send_buffer_size(SEND_BUFFER)?;
            found = true;
        }
    }
    if found {
        return Ok(());
    }
    Err(io::Error::other("the listening socket was not found"))
}

/// Whether the file descriptor is a socket that listens on the port.
#[cfg(target_os = "linux")]
fn listens_on(socket: &SockRef<'_>, port: u16) -> bool {
    let address = socket.local_addr().ok().and_then(|it| it.as_socket());
    address.is_some_and(|address| address.port() == port) && socket.is_listener().unwrap_or(false)
}

/// Other systems, which are only used for development, have no such option.
#[cfg(not(target_os = "linux"))]
fn bound_writes(_: u16) -> io::Result<()> {
    Ok(())
}
