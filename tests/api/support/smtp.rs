//! An SMTP server that keeps the mails it accepts, and gives the responses that a test wants.

use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};

use herolo::Config;
use mail_parser::MessageParser;
use mailin_embedded::{Handler, Response, Server, SslConfig, response};

use super::until;

/// A mail as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// The recipients of the envelope.
    pub(crate) to: Vec<String>,
    /// The whole message.
    pub(crate) raw: String,
    pub(crate) subject: String,
    pub(crate) plain: String,
    pub(crate) html: String,
}

impl Mail {
    fn parse(to: Vec<String>, data: &[u8]) -> Self {
        let message = MessageParser::default().parse(data).expect("a message");
        assert_eq!(message.parts.len(), 3, "two alternatives");
        Self {
            to,
            raw: String::from_utf8(data.to_vec()).expect("UTF-8"),
            subject: message.subject().expect("a subject").to_owned(),
            plain: message.body_text(0).expect("plain text").into_owned(),
            html: message.body_html(0).expect("HTML").into_owned(),
        }
    }

    /// The code in the text, on a line of its own.
    pub(crate) fn code(&self) -> String {
        let is_code = |line: &&str| line.len() == 26 && !line.contains(' ');
        let code = self.plain.lines().find(is_code);
        code.unwrap_or_else(|| panic!("no code: {}", self.plain))
            .to_owned()
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> String {
        let (head, _) = self.raw.split_once("\r\n\r\n").expect("a head");
        let head = head.replace("\r\n ", " ");
        let values: Vec<_> = head
            .lines()
            .filter_map(|line| line.strip_prefix(&format!("{name}: ")))
            .collect();
        assert_eq!(values.len(), 1, "one {name}: {head}");
        values[0].to_owned()
    }
}

/// The server. Its threads end with the process.
pub(crate) struct SmtpServer {
    port: u16,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    accepted: Vec<Mail>,
    /// The statuses with which the next mails are refused.
    refusals: VecDeque<u16>,
    /// The mails that were offered, accepted or not.
    offered: usize,
}

impl SmtpServer {
    pub(crate) fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").expect("a port is free"))
    }

    /// A server on this port, which must be free.
    pub(crate) fn on_port(port: u16) -> Self {
        Self::on(TcpListener::bind(("127.0.0.1", port)).expect("the port is free"))
    }

    fn on(listener: TcpListener) -> Self {
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::<Mutex<Shared>>::default();
        let session = Session {
            shared: Arc::clone(&shared),
            to: Vec::new(),
            data: Vec::new(),
        };
        let mut server = Server::new(session);
        server
            .with_name("mail.example.com")
            .with_ssl(SslConfig::None)
            .expect("no TLS")
            .with_tcp_listener(listener);
        std::thread::spawn(move || {
            let _ = server.serve();
        });
        Self { port, shared }
    }

    /// A port that nothing listens on.
    pub(crate) fn free_port() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.local_addr().expect("it is bound").port()
    }

    /// The URL of the server, without TLS.
    pub(crate) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}?tls=none", self.port)
    }

    /// Makes a service send its mails here.
    pub(crate) fn serve(&self, config: &mut Config) {
        set_smtp(config, &self.url());
    }

    /// Refuses the next mails with these statuses, one after the other.
    pub(crate) fn refuse(&self, statuses: &[u16]) {
        self.lock().refusals.extend(statuses);
    }

    /// Is too busy for any mail from now on, which the service offers again after pauses, until [`Self::recover`].
    pub(crate) fn be_busy(&self) {
        self.refuse(&[451; 100]);
    }

    /// Refuses no further mail.
    pub(crate) fn recover(&self) {
        self.lock().refusals.clear();
    }

    /// Forgets the mails that have arrived.
    pub(crate) fn forget(&self) {
        *self.lock() = Shared::default();
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.lock().accepted.clone()
    }

    /// The number of mails that were offered, accepted or not.
    pub(crate) fn offered(&self) -> usize {
        self.lock().offered
    }

    /// Waits for so many mails, and returns all.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Mail> {
        until("the mails arrive", async || self.mails().len() >= count).await;
        let mails = self.mails();
        assert_eq!(mails.len(), count, "{mails:#?}");
        mails
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no test panicked in it")
    }
}

/// The settings of mail, with this SMTP server.
pub(crate) fn set_smtp(config: &mut Config, url: &str) {
    config.smtp_url = url.to_owned().into();
    "Herolo <noreply@example.com>".clone_into(&mut config.mail_from);
    "https://herolo.example.com".clone_into(&mut config.public_url);
}

/// A connection with the mail that is being received.
#[derive(Clone)]
struct Session {
    shared: Arc<Mutex<Shared>>,
    to: Vec<String>,
    data: Vec<u8>,
}

impl Handler for Session {
    /// Refuses mails here, because mailin takes what follows a refusal at the end of a mail for a part of it.
    fn rcpt(&mut self, to: &str) -> Response {
        let mut shared = self.shared.lock().expect("no test panicked in it");
        shared.offered += 1;
        if let Some(status) = shared.refusals.pop_front() {
            return Response::custom(status, format!("refused for {to}"));
        }
        self.to.push(to.to_owned());
        response::OK
    }

    fn data(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.data.extend(chunk);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let (to, data) = (std::mem::take(&mut self.to), std::mem::take(&mut self.data));
        let mut shared = self.shared.lock().expect("no test panicked in it");
        shared.accepted.push(Mail::parse(to, &data));
        response::OK
    }
}
