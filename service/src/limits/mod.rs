//! How often a client or an account may do what is dear: log in, sign up, send, search; and how much of it at a time.
//!
//! Each is counted by the generic cell rate algorithm: so many a minute, all at once or one after the other. The counts
//! are this replica's own and in memory. Nobody is locked out by what others do elsewhere: failed logins are counted for
//! an account *and* the client that they come from, never for an account alone.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZero;
use std::sync::Once;
use std::time::Duration;

use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::{Quota, RateLimiter};
use rocket::Response;
use rocket::fairing::{Fairing, Info, Kind as FairingKind};
use rocket::request::{FromRequest, Outcome, Request};

use self::table::Table;
use crate::config::{Config, ConfigError};
use crate::http::problem::Problem;

pub(crate) use self::turns::Turns;

mod table;
mod turns;

/// Seconds of the time in which a quota is restored.
const WINDOW_SECONDS: u32 = 60;
/// How many times as often as for one account something may be done from one client, behind which may be many people.
const ACCOUNTS_OF_A_CLIENT: u32 = 10;

type Limiter = RateLimiter<u64, Table, MonotonicClock, StateInformationMiddleware>;

/// One thing that is counted.
struct Rule {
    name: &'static str,
    quota: NonZero<u32>,
    limiter: Limiter,
    table: Table,
}

/// What is left of a quota after a request was counted.
struct Standing {
    name: &'static str,
    quota: u32,
    left: u32,
}

impl Standing {
    /// An item of `RateLimit`. The seconds are those after which the whole quota is there again.
    fn item(&self) -> String {
        let missing = u64::from(self.quota - self.left) * u64::from(WINDOW_SECONDS);
        let seconds = missing.div_ceil(u64::from(self.quota));
        format!("\"{}\";r={};t={seconds}", self.name, self.left)
    }
}

/// How long to wait until the next request is taken.
struct Wait(Duration);

impl Rule {
    /// `None` for 0, which is no limit.
    fn new(name: &'static str, quota: u32) -> Option<Self> {
        let quota = NonZero::new(quota)?;
        let table = Table::new();
        let per_minute = Quota::per_minute(quota);
        Some(Self {
            name,
            quota,
            limiter: Limiter::new(per_minute, table.clone(), MonotonicClock),
            table,
        })
    }

    /// Counts a request. One that is refused does not count, so that whoever waits is let in.
    fn count(&self, key: u64) -> (Standing, Option<Wait>) {
        let (left, wait) = match self.limiter.check_key(&key) {
            Ok(state) => (state.remaining_burst_capacity(), None),
            Err(until) => {
                let now = self.limiter.clock().now();
                (0, Some(Wait(until.wait_time_from(now))))
            }
        };
        let quota = self.quota.get();
        let standing = Standing {
            name: self.name,
            quota,
            left: left.min(quota),
        };
        (standing, wait)
    }

    /// An item of `RateLimit-Policy`.
    fn policy(&self) -> String {
        format!("\"{}\";q={};w={WINDOW_SECONDS}", self.name, self.quota)
    }
}

/// What is counted of a kind of request.
struct Rules {
    of_account: Option<Rule>,
    of_client: Option<Rule>,
    policy: String,
}

impl Rules {
    fn new(of_account: Option<Rule>, of_client: Option<Rule>) -> Self {
        let rules = [&of_account, &of_client].into_iter().flatten();
        let policy = rules.map(Rule::policy).collect::<Vec<_>>().join(", ");
        Self {
            of_account,
            of_client,
            policy,
        }
    }
}

/// All limits of this replica.
pub(crate) struct Limits {
    logins: Rules,
    sign_ups: Rules,
    sends: Rules,
    searches: Rules,
    /// Says who the client is, where a proxy is in front.
    address_header: Option<String>,
    /// Told once.
    missing_header: Once,
    /// Makes keys that nobody outside can foresee.
    hasher: RandomState,
}

impl Limits {
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let of_client =
            |name, quota: u32| Rule::new(name, quota.saturating_mul(ACCOUNTS_OF_A_CLIENT));
        let (logins, sends) = (config.limit_logins, config.limit_sends);
        let searches = config.limit_searches;
        Ok(Self {
            logins: Rules::new(
                Rule::new("logins", logins),
                of_client("logins-client", logins),
            ),
            sign_ups: Rules::new(None, Rule::new("sign-ups", config.limit_sign_ups)),
            sends: Rules::new(Rule::new("sends", sends), of_client("sends-client", sends)),
            searches: Rules::new(
                Rule::new("searches", searches),
                of_client("searches-client", searches),
            ),
            address_header: config.client_address_header()?,
            missing_header: Once::new(),
            hasher: RandomState::new(),
        })
    }

    fn key(&self, of: impl Hash) -> u64 {
        self.hasher.hash_one(of)
    }

    /// The network address that a request comes from: the one that the header has, if one is set, it is there once and
    /// it is an address; otherwise that of the connection.
    fn client(&self, request: &Request<'_>) -> IpAddr {
        let told = self.address_header.as_ref().and_then(|name| {
            let mut values = request.headers().get(name);
            let only = values.next().filter(|_| values.next().is_none());
            let told = only.and_then(address);
            if told.is_none() {
                self.missing_header.call_once(|| {
                    tracing::warn!("HEROLO_CLIENT_ADDRESS_HEADER: a request has no address in {name}, so it counts for its connection's");
                });
            }
            told
        });
        let of_connection = || request.remote().map(|address| address.ip());
        let address = told.or_else(of_connection);
        network(address.unwrap_or(Ipv4Addr::UNSPECIFIED.into()))
    }
}

/// The address that a proxy writes: alone, in brackets, and with the port or the zone of its connection, which count for
/// nothing. A list is none, because only its operator knows which of them is to be believed.
fn address(told: &str) -> Option<IpAddr> {
    let told = told.trim();
    let (host, port) = match told.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?,
        // An IPv6 address without brackets has no port: it could not be told from the rest.
        None if told.matches(':').count() == 1 => told.split_at(told.find(':')?),
        None => (told, ""),
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let is_fit = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    let (host, zone) = host.split_once('%').unwrap_or((host, ""));
    let address: IpAddr = host.parse().ok().filter(|_| is_fit)?;
    (zone.is_empty() || address.is_ipv6()).then_some(address)
}

/// Who has an IPv6 address mostly has the 2^64 of its network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// A kind of request that is limited.
pub(crate) trait Kind: Send {
    /// Whether an account's count is for this client alone, because others may ask in its name.
    const APART: bool;
    /// Parameters of the query of which one at least makes a request one of this kind; none if all of its route are.
    const PARAMETERS: &[&str];
    /// The rules for it.
    #[expect(private_interfaces, reason = "nobody else has limits")]
    fn rules(limits: &Limits) -> &Rules;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident: $rules:ident, apart: $apart:literal, parameters: $parameters:expr;)+) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl Kind for $name {
            const APART: bool = $apart;
            const PARAMETERS: &[&str] = &$parameters;

            #[expect(private_interfaces, reason = "nobody else has limits")]
            fn rules(limits: &Limits) -> &Rules {
                &limits.$rules
            }
        }
    )+};
}

kinds! {
    /// A password is checked, for a token or for what takes it beside one.
    Logins: logins, apart: true, parameters: [];
    /// An account is made.
    SignUps: sign_ups, apart: true, parameters: [];
    /// A message is sent. Whoever does that is who they say.
    Sends: sends, apart: false, parameters: [];
    /// Messages are looked through for what no key is in the order of.
    Searches: searches, apart: false, parameters: ["from", "since", "q"];
}

/// Leave for one request of a kind, which was counted for the account in the path, if there is one, and for the client.
/// A guard that stands before what the request costs, and after [`crate::auth::Caller`] where that is needed.
pub(crate) struct Permit<'r, K> {
    limits: &'r Limits,
    of_account: u64,
    kind: PhantomData<K>,
}

impl<K: Kind> Permit<'_, K> {
    /// Takes back what was counted for the account: the password was right.
    pub(crate) fn forgive(&self) {
        if let Some(rule) = &K::rules(self.limits).of_account {
            rule.table.forget(self.of_account);
        }
    }
}

/// Whether the query makes a request one of a kind.
fn is_of_kind<K: Kind>(request: &Request<'_>) -> bool {
    let is_one = |name: &str| K::PARAMETERS.contains(&name);
    let mut names = request.query_fields().map(|field| field.name.source());
    K::PARAMETERS.is_empty() || names.any(|name| is_one(name.as_str()))
}

/// What the headers of a limited request's answer say.
#[derive(Default)]
struct Said(Option<(String, String)>);

#[rocket::async_trait]
impl<'r, K: Kind> FromRequest<'r> for Permit<'r, K> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let Some(limits) = request.rocket().state::<Limits>() else {
            let problem = Problem::internal("the service was built without limits");
            return Outcome::Error((problem.stash_for_catcher(request), ()));
        };
        let rules = K::rules(limits);
        let is_counted = is_of_kind::<K>(request);
        let client = limits.client(request);
        let account = request.param::<&str>(1).and_then(Result::ok).unwrap_or("");
        let account = account.to_ascii_lowercase();
        let of_account = limits.key((K::APART.then_some(client), account));
        let counted = [
            (&rules.of_account, of_account),
            (&rules.of_client, limits.key(client)),
        ];
        let (mut items, mut wait) = (Vec::new(), None);
        for (rule, key) in counted {
            if let (Some(rule), None, true) = (rule, &wait, is_counted) {
                let (standing, refused) = rule.count(key);
                items.push(standing.item());
                wait = refused;
            }
        }
        if !items.is_empty() {
            request.local_cache(|| Said(Some((rules.policy.clone(), items.join(", ")))));
        }
        match wait {
            Some(Wait(wait)) => {
                let problem = Problem::TooMany(wait);
                Outcome::Error((problem.stash_for_catcher(request), ()))
            }
            None => Outcome::Success(Self {
                limits,
                of_account,
                kind: PhantomData,
            }),
        }
    }
}

/// Says on each answer of what is limited how much is left (draft-ietf-httpapi-ratelimit-headers-10,
/// <https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>).
pub(crate) struct LimitHeaders;

#[rocket::async_trait]
impl Fairing for LimitHeaders {
    fn info(&self) -> Info {
        Info {
            name: "limit headers",
            kind: FairingKind::Response,
        }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        if let Said(Some((policy, items))) = request.local_cache(Said::default) {
            response.set_raw_header("RateLimit-Policy", policy.as_str());
            response.set_raw_header("RateLimit", items.as_str());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_there_at_once_and_is_each_keys_own() {
        let rule = Rule::new("tries", 3).expect("a limit");
        for left in [2, 1, 0] {
            let (standing, wait) = rule.count(1);
            assert!(wait.is_none());
            assert_eq!(standing.left, left);
        }
        let (standing, wait) = rule.count(1);
        assert_eq!(standing.item(), "\"tries\";r=0;t=60");
        let Wait(wait) = wait.expect("the quota is used up");
        assert!(
            wait <= Duration::from_secs(20),
            "a third of a minute: {wait:?}"
        );
        assert!(rule.count(2).1.is_none());
        rule.table.forget(1);
        assert!(rule.count(1).1.is_none());
    }

    #[test]
    fn headers_are_structured_fields() {
        let rules = Rules::new(Rule::new("a", 600), Rule::new("b", 7));
        assert_eq!(rules.policy, "\"a\";q=600;w=60, \"b\";q=7;w=60");
        let standing = rules.of_account.map(|rule| rule.count(1).0);
        let item = standing.map(|standing| standing.item());
        assert_eq!(item.as_deref(), Some("\"a\";r=599;t=1"));
    }

    #[test]
    fn an_address_is_read_without_its_port_brackets_and_zone() {
        for (told, expected) in [
            ("198.51.100.9", "198.51.100.9"),
            (" 198.51.100.9 ", "198.51.100.9"),
            ("198.51.100.9:40000", "198.51.100.9"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
            ("[::ffff:192.0.2.7]:443", "::ffff:192.0.2.7"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:443", "fe80::1"),
        ] {
            assert_eq!(address(told), expected.parse().ok(), "{told}");
        }
        for told in [
            "",
            ":",
            "[]",
            "[]:1",
            "[",
            "]",
            "unknown",
            "_hidden",
            "198.51.100.9:http",
            "198.51.100",
            "198.51.100.9%eth0",
            "198.51.100.9, 203.0.113.1",
            "198.51.100.9:1, 203.0.113.1:2",
            "[2001:db8::7",
            "[2001:db8::7]443",
            "[[2001:db8::7]]",
            "localhost:80",
            "198.51.100.9:1:2",
        ] {
            assert_eq!(address(told), None, "{told}");
        }
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let network = |text: &str| network(text.parse().expect("an address")).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
    }
}
