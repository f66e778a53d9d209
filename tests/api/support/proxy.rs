//! A TCP proxy, between the service and MySQL or before the service, that can go wrong the way networks and servers do.

use std::net::SocketAddr;

use herolo::Config;
use secrecy::ExposeSecret as _;
use sqlx::ConnectOptions as _;
use sqlx::mysql::MySqlConnectOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch::{self, Receiver, Sender};

use super::{database::TestDatabase, mysql, until};

/// A proxy that passes everything on until a test says otherwise. It ends with the test.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Sender<State>,
}

#[derive(Clone, Copy)]
struct State {
    fault: Fault,
    /// How often all connections were cut.
    cuts: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// Nobody listens.
    Refusal,
    /// What clients send arrives, and no answer comes back. Such a connection is of no use any more.
    Mute,
    /// Connections open and stay open, and no byte arrives any more, as behind a firewall that lost its memory.
    BlackHole,
}

impl Proxy {
    /// A proxy to the server of the tests.
    pub(crate) async fn start() -> Self {
        let server = mysql::server().await;
        Self::to((server.get_host().to_owned(), server.get_port())).await
    }

    /// A proxy to the service at this URL.
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

    /// The URL of the service by way of this proxy.
    pub(crate) fn http_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL of the database by way of this proxy.
    pub(crate) fn url(&self, database: &TestDatabase) -> String {
        self.by_way(&database.url())
    }

    /// Sends a service by way of this proxy.
    pub(crate) fn redirect(&self, config: &mut Config) {
        config.database_url = self.by_way(config.database_url.expose_secret()).into();
    }

    fn by_way(&self, url: &str) -> String {
        let options: MySqlConnectOptions = url.parse().expect("a database URL");
        let options = options
            .host(&self.address.ip().to_string())
            .port(self.address.port());
        options.to_url_lossy().into()
    }

    /// Passes everything on. Connections that the black hole swallowed stay dead.
    pub(crate) async fn pass(&self) {
        self.turn_to(Fault::None);
        until("the proxy accepts", async || self.accepts().await).await;
    }

    /// Cuts all connections and takes no new one, as a server that is down.
    pub(crate) async fn refuse(&self) {
        self.turn_to(Fault::Refusal);
        self.cut();
        until("the proxy refuses", async || !self.accepts().await).await;
    }

    /// Swallows everything that arrives, on open connections and on new ones.
    pub(crate) fn swallow(&self) {
        self.turn_to(Fault::BlackHole);
    }

    /// Loses all answers from now on; to be followed by a cut.
    pub(crate) fn mute(&self) {
        self.turn_to(Fault::Mute);
    }

    /// Cuts all open connections.
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

/// Runs until the proxy is dropped, which is what makes waiting for its state fail.
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
            // Also tries again soon where somebody else's connection has the port just then.
            tokio::select! {
                changed = state.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(std::time::Duration::from_millis(25)) => {}
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

/// One connection, until it ends or is cut.
async fn carry(client: TcpStream, server: (String, u16), mut state: Receiver<State>) {
    let cuts = state.borrow().cuts;
    tokio::select! {
        () = forward(client, server, state.clone()) => {}
        _ = state.wait_for(|now| now.cuts != cuts) => {}
    }
}

/// Passes on what both ends say, until one of them closes; what the server says while the proxy is mute is lost.
async fn pass(client: &mut TcpStream, server: &mut TcpStream, state: &Receiver<State>) {
    let (mut questions, mut told) = client.split();
    let (mut answers, mut asked) = server.split();
    let answer = async {
        let mut chunk = [0; 4096];
        while let Ok(length @ 1..) = answers.read(&mut chunk).await {
            let is_lost = state.borrow().fault == Fault::Mute;
            if !is_lost && told.write_all(&chunk[..length]).await.is_err() {
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
    // Holds both ends open, and reads from neither.
    std::future::pending::<()>().await;
}
