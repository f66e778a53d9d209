//! Options of the connections that clients open: an answer that its reader does not take ends, and little of it waits in
//! the kernel.
//!
//! Rocket shows neither its listening socket nor the connections. A connection has the options that the listening socket
//! had, so it is enough to find that one, once, among the process's own.

use std::io;
use std::time::Duration;

use rocket::fairing::AdHoc;
use socket2::SockRef;

/// How long what was written may stay unread or unacknowledged. Then the kernel ends the connection
/// (`TCP_USER_TIMEOUT`, <https://man7.org/linux/man-pages/man7/tcp.7.html>), and with it goes all that was held for its
/// answer. A reader who is slow and goes on reading is served.
const UNREAD: Duration = Duration::from_secs(20);
/// Bytes of an answer that the kernel keeps for a connection (it takes twice as much for them). Left to itself it keeps up
/// to 4 MiB.
const SEND_BUFFER: usize = 64 * 1024;

/// Sets the options before the first connection is accepted.
pub(crate) fn bounded_writes() -> AdHoc {
    AdHoc::on_liftoff("bounded writes", |rocket| {
        Box::pin(async move {
            if let Err(fault) = bound_writes(rocket.config().port) {
                tracing::error!("answers that nobody reads are held: {fault}");
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
        if listens_at(&socket, port) {
            socket.set_tcp_user_timeout(Some(UNREAD))?;
            socket.set_send_buffer_size(SEND_BUFFER)?;
            found = true;
        }
    }
    if found {
        return Ok(());
    }
    Err(io::Error::other("the listening socket was not found"))
}

/// Whether this is a socket at all, and one that listens at the port.
#[cfg(target_os = "linux")]
fn listens_at(socket: &SockRef<'_>, port: u16) -> bool {
    let address = socket.local_addr().ok().and_then(|it| it.as_socket());
    address.is_some_and(|address| address.port() == port) && socket.is_listener().unwrap_or(false)
}

/// Other systems have no such option; they are for development.
#[cfg(not(target_os = "linux"))]
fn bound_writes(_: u16) -> io::Result<()> {
    Ok(())
}
