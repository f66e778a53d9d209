//! Rate limits: a quota a minute for each account and each client, by the generic cell rate algorithm.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::num::NonZero;
use std::time::Duration;

use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::{Quota, RateLimiter};
use rocket::request::Request;

use crate::config::{Config, ConfigError};
use crate::limits::client_address::ClientAddresses;
use crate::limits::table::Table;

/// The seconds in which a used quota is restored.
const WINDOW_SECONDS: u32 = 60;
/// A client's quota as a multiple of an account's, because many people may share one client.
const CLIENT_FACTOR: u32 = 10;

type Limiter = RateLimiter<u64, Table, MonotonicClock, StateInformationMiddleware>;

/// A limit with its counts.
pub(super) struct Rule {
    name: &'static str,
    quota: NonZero<u32>,
    limiter: Limiter,
    table: Table,
}

/// The state of a quota after a request was counted.
pub(super) struct QuotaState {
    name: &'static str,
    quota: u32,
    remaining: u32,
}

impl QuotaState {
    /// An item of `RateLimit`, with the seconds until the whole quota is restored.
    pub(super) fn item(&self) -> String {
        let used = u64::from(self.quota - self.remaining) * u64::from(WINDOW_SECONDS);
        let seconds = used.div_ceil(u64::from(self.quota));
        format!("\"{}\";r={};t={seconds}", self.name, self.remaining)
    }
}

/// The time until the next request is allowed.
pub(super) struct RetryAfter(pub(super) Duration);

impl Rule {
    /// `None` for a quota of 0, which means no limit.
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

    /// Counts a request. A refused request is not counted, so a client that waits is not refused again.
    pub(super) fn count(&self, key: u64) -> (QuotaState, Option<RetryAfter>) {
        let (remaining, retry_after) = match self.limiter.check_key(&key) {
            Ok(state) => (state.remaining_burst_capacity(), None),
            Err(until) => {
                let now = self.limiter.clock().now();
                (0, Some(RetryAfter(until.wait_time_from(now))))
            }
        };
        let quota = self.quota.get();
        let state = QuotaState {
            name: self.name,
            quota,
            remaining: remaining.min(quota),
        };
        (state, retry_after)
    }

    /// Restores the whole quota of a key.
    pub(super) fn refund(&self, key: u64) {
        self.table.remove(key);
    }

    /// An item of `RateLimit-Policy`.
    fn policy(&self) -> String {
        format!("\"{}\";q={};w={WINDOW_SECONDS}", self.name, self.quota)
    }
}

/// The limits of a kind of request.
pub(super) struct Rules {
    pub(super) per_account: Option<Rule>,
    pub(super) per_client: Option<Rule>,
    /// The value of `RateLimit-Policy`.
    pub(super) policy: String,
}

impl Rules {
    fn new(per_account: Option<Rule>, per_client: Option<Rule>) -> Self {
        let rules = [&per_account, &per_client].into_iter().flatten();
        let policy = rules.map(Rule::policy).collect::<Vec<_>>().join(", ");
        Self {
            per_account,
            per_client,
            policy,
        }
    }
}

/// All rate limits of this replica.
pub(crate) struct Limits {
    pub(super) logins: Rules,
    pub(super) sign_ups: Rules,
    pub(super) sends: Rules,
    pub(super) searches: Rules,
    client_addresses: ClientAddresses,
    /// Seeded at random, so that keys cannot be predicted.
    hasher: RandomState,
}

impl Limits {
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let per_client = |name, quota: u32| Rule::new(name, quota.saturating_mul(CLIENT_FACTOR));
        let (logins, sends) = (config.limit_logins, config.limit_sends);
        let searches = config.limit_searches;
        Ok(Self {
            logins: Rules::new(
                Rule::new("logins", logins),
                per_client("logins-client", logins),
            ),
            sign_ups: Rules::new(None, Rule::new("sign-ups", config.limit_sign_ups)),
            sends: Rules::new(Rule::new("sends", sends), per_client("sends-client", sends)),
            searches: Rules::new(
                Rule::new("searches", searches),
                per_client("searches-client", searches),
            ),
            client_addresses: ClientAddresses::new(config.client_address_header()?),
            hasher: RandomState::new(),
        })
    }

    /// The keys of the account and of the client of a request. If `per_client`, the key of the account is that of the
    /// account at this client.
    pub(super) fn keys(&self, request: &Request<'_>, account: &str, per_client: bool) -> [u64; 2] {
        let client = self.client_addresses.of(request);
        let account = account.to_ascii_lowercase();
        [
            self.key((per_client.then_some(client), account)),
            self.key(client),
        ]
    }

    fn key(&self, value: impl Hash) -> u64 {
        self.hasher.hash_one(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_may_be_used_at_once_and_belongs_to_one_key() {
        let rule = Rule::new("tries", 3).expect("a limit");
        for remaining in [2, 1, 0] {
            let (state, wait) = rule.count(1);
            assert!(wait.is_none());
            assert_eq!(state.remaining, remaining);
        }
        let (state, wait) = rule.count(1);
        assert_eq!(state.item(), "\"tries\";r=0;t=60");
        let RetryAfter(wait) = wait.expect("the quota is used up");
        assert!(
            wait <= Duration::from_secs(20),
            "a third of a minute: {wait:?}"
        );
        assert!(rule.count(2).1.is_none());
        rule.refund(1);
        assert!(rule.count(1).1.is_none());
    }

    #[test]
    fn headers_are_structured_fields() {
        let rules = Rules::new(Rule::new("a", 600), Rule::new("b", 7));
        assert_eq!(rules.policy, "\"a\";q=600;w=60, \"b\";q=7;w=60");
        let state = rules.per_account.map(|rule| rule.count(1).0);
        let item = state.map(|state| state.item());
        assert_eq!(item.as_deref(), Some("\"a\";r=599;t=1"));
    }
}
