//! A TCP proxy, in front of MySQL or the service, that simulates failures of networks and servers.

use std::net::SocketAddr;
use std::time::Duration;

use herolo::Config;
use secrecy::ExposeSecret as _;
use sqlx::ConnectOptions as _;
use sqlx::mysql::MySqlConnectOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch::{self, Receiver, Sender};
use tokio::time::sleep;

use super::{database::TestDatabase, mysql, until};

/// A proxy that forwards everything until a test simulates a failure. It ends with the test.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Sender<State>,
}

#[derive(Clone, Copy)]
struct State {
    fault: Fault,
    /// How many times all connections were closed.
    cuts: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// Connections are refused.
    Refusal,
    /// Requests are forwarded, but responses are lost. The connection is unusable afterwards.
    Mute,
    /// Each response arrives later by this time.
    Slow(Duration),
    /// Connections are accepted and stay open, but no byte is forwarded, as behind a firewall that lost its state.
    BlackHole,
}

impl Proxy {
    /// A proxy for the MySQL server of the tests.
    pub(crate) async fn start() -> Self {
        let server = mysql::server().await;
        Self::to((server.get_host().to_owned(), server.get_port())).await
    }

    /// A proxy for the service at this URL.
    pub(crate) async fn before(url: &str) -> Self {
        let (host, port) = url
            .trim_start_matches("http://")
            .split_once(':')
            .expect("a host and a port");
        Self::to((host.to_owned(), port.parse().expect("a port"))).await
    }

    async fn to(server: (String, u16)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let state = Sender::new(State {
            fault: Fault::None,
            cuts: 0,
        });
        tokio::spawn(accept(listener, server, state.subscribe()));
        Self { address, state }
    }

    /// The URL of the service through this proxy.
    pub(crate) fn http_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL of the database through this proxy.
    pub(crate) fn url(&self, database: &TestDatabase) -> String {
        self.by_way(&database.url())
    }

    /// Makes a service connect through this proxy.
    pub(crate) fn redirect(&self, config: &mut Config) {
        config.database_url = self.by_way(config.database_url.expose_secret()).into();
    }

    fn by_way(&self, url: &str) -> String {
        let options: MySqlConnectOptions = url.parse().expect("a database URL");
        let options = options
            .host(&self.address.ip().to_string())
            .port(self.address.port());
        let mut through = options.to_url_lossy();
        // Without the driver's own defaults, which are no parameters of the service.
        through.set_query(url.split_once('?').map(|(_, query)| query));
        through.into()
    }

    /// Forwards everything. Connections in the black hole stay dead.
    pub(crate) async fn pass(&self) {
        self.turn_to(Fault::None);
        until("the proxy accepts", async || self.accepts().await).await;
    }

    /// Closes all connections and refuses new ones, like a server that is down.
    pub(crate) async fn refuse(&self) {
        self.turn_to(Fault::Refusal);
        self.cut();
        until("the proxy refuses", async || !self.accepts().await).await;
    }

    /// Drops all data, on open and on new connections.
    pub(crate) fn swallow(&self) {
        self.turn_to(Fault::BlackHole);
    }

    /// Delays each response by this time.
    pub(crate) fn slow_down(&self, delay: Duration) {
        self.turn_to(Fault::Slow(delay));
    }

    /// Drops all responses from now on; to be followed by `cut`.
    pub(crate) fn mute(&self) {
        self.turn_to(Fault::Mute);
    }

    /// Closes all open connections.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    fn turn_to(&self, fault: Fault) {
        self.state.send_modify(|state| state.fault = fault);
    }

    async fn accepts(&self) -> bool {
        TcpStream::connect(self.address).await.is_ok()
    }
}

/// Runs until the proxy is dropped, which closes the channel of its state.
async fn accept(listener: TcpListener, server: (String, u16), mut state: Receiver<State>) {
    let address = listener.local_addr().expect("it is bound");
    let mut listener = Some(listener);
    loop {
        if state.borrow_and_update().fault == Fault::Refusal {
            listener = None;
        } else if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        let Some(open) = &listener else {
            // Retries soon, because another connection may temporarily use the port.
            tokio::select! {
                changed = state.changed() => if changed.is_err() { return },
                () = sleep(Duration::from_millis(25)) => {}
            }
            continue;
        };
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            accepted = open.accept() => if let Ok((client, _)) = accepted {
                tokio::spawn(carry(client, server.clone(), state.clone()));
            },
        }
    }
}

/// Forwards a connection until it ends or is closed.
async fn carry(client: TcpStream, server: (String, u16), mut state: Receiver<State>) {
    let cuts = state.borrow().cuts;
    tokio::select! {
        () = forward(client, server, state.clone()) => {}
        _ = state.wait_for(|now| now.cuts != cuts) => {}
    }
}

/// Forwards data in both directions until one end closes; delays or drops responses while the proxy is slow or mute.
async fn pass(client: &mut TcpStream, server: &mut TcpStream, state: &Receiver<State>) {
    let (mut questions, mut told) = client.split();
    let (mut answers, mut asked) = server.split();
    let answer = async {
        let mut chunk = [0; 4096];
        while let Ok(length @ 1..) = answers.read(&mut chunk).await {
            let fault = state.borrow().fault;
            match fault {
                Fault::Mute => continue,
                Fault::Slow(delay) => sleep(delay).await,
                _ => {}
            }
            if told.write_all(&chunk[..length]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        _ = copy(&mut questions, &mut asked) => {}
        () = answer => {}
    }
}

async fn forward(mut client: TcpStream, server: (String, u16), mut state: watch::Receiver<State>) {
    let passing = state.clone();
    let pass = async {
        let Ok(mut server) = TcpStream::connect(server).await else {
            return;
        };
        pass(&mut client, &mut server, &passing).await;
    };
    tokio::pin!(pass);
    tokio::select! {
        biased;
        swallowed = state.wait_for(|now| now.fault == Fault::BlackHole) => if swallowed.is_err() { return },
        () = &mut pass => return,
    }
    // Keeps both ends open without reading.
    std::future::pending::<()>().await;
}
