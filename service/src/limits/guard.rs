//! The guard of rate-limited operations.

use std::marker::PhantomData;

use rocket::request::{FromRequest, Outcome, Request};

use crate::http::problem::Problem;
use crate::http::request::{state, username_in_path};
use crate::limits::headers;
use crate::limits::rules::{Limits, RetryAfter, Rules};

/// A kind of request that is limited.
pub(crate) trait LimitedKind: Send {
    /// Whether the requests of an account are counted separately for each client, because the account's name in the
    /// path is not authenticated.
    const PER_CLIENT: bool;
    /// The query parameters that make a request one of this kind; if there are none, every request of the route is.
    const PARAMETERS: &[&str];
    /// The limits of this kind.
    #[expect(private_interfaces, reason = "only this module implements the trait")]
    fn rules(limits: &Limits) -> &Rules;
}

macro_rules! kinds {
    ($(
        $(#[$doc:meta])*
        $name:ident: $rules:ident, per_client: $per_client:literal, parameters: $parameters:expr;
    )+) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl LimitedKind for $name {
            const PER_CLIENT: bool = $per_client;
            const PARAMETERS: &[&str] = &$parameters;

            #[expect(private_interfaces, reason = "only this module implements the trait")]
            fn rules(limits: &Limits) -> &Rules {
                &limits.$rules
            }
        }
    )+};
}

kinds! {
    /// Requests that check a password.
    Logins: logins, per_client: true, parameters: [];
    /// Requests that create an account.
    SignUps: sign_ups, per_client: true, parameters: [];
    /// Requests that send a message. Their access token proves the account.
    Sends: sends, per_client: false, parameters: [];
    /// Requests that filter messages by criteria that no index covers.
    Searches: searches, per_client: false, parameters: ["from", "since", "q"];
}

/// A request that was counted for the account in the path, if there is one, and for its client, and is within the
/// limits. This guard belongs before anything expensive, and after [`crate::auth::Caller`] where the kind is not per
/// client.
pub(crate) struct RateLimited<'r, K> {
    limits: &'r Limits,
    account: u64,
    kind: PhantomData<K>,
}

impl<K: LimitedKind> RateLimited<'_, K> {
    /// Restores the account's quota, because the password was correct.
    pub(crate) fn refund(&self) {
        if let Some(rule) = &K::rules(self.limits).per_account {
            rule.refund(self.account);
        }
    }
}

impl<'r, K: LimitedKind> RateLimited<'r, K> {
    fn check(request: &'r Request<'_>) -> Result<Self, Problem> {
        let limits = state::<Limits>(request)?;
        let account = username_in_path(request).unwrap_or_default();
        let keys @ [account, _] = limits.keys(request, account, K::PER_CLIENT);
        if is_of_kind::<K>(request) {
            count(request, K::rules(limits), keys)?;
        }
        Ok(Self {
            limits,
            account,
            kind: PhantomData,
        })
    }
}

/// Whether the query makes a request one of a kind.
fn is_of_kind<K: LimitedKind>(request: &Request<'_>) -> bool {
    let is_one = |name: &str| K::PARAMETERS.contains(&name);
    let mut names = request.query_fields().map(|field| field.name.source());
    K::PARAMETERS.is_empty() || names.any(|name| is_one(name.as_str()))
}

/// Counts a request for its account and, if the account is within its limit, for its client.
fn count(request: &Request<'_>, rules: &Rules, keys: [u64; 2]) -> Result<(), Problem> {
    let mut items = Vec::new();
    let mut refused = None;
    for (rule, key) in [&rules.per_account, &rules.per_client]
        .into_iter()
        .zip(keys)
    {
        if let (Some(rule), None) = (rule, &refused) {
            let (state, retry_after) = rule.count(key);
            items.push(state.item());
            refused = retry_after;
        }
    }
    if !items.is_empty() {
        headers::set(request, rules.policy.clone(), items.join(", "));
    }
    match refused {
        Some(RetryAfter(wait)) => Err(Problem::TooMany(wait)),
        None => Ok(()),
    }
}

#[rocket::async_trait]
impl<'r, K: LimitedKind> FromRequest<'r> for RateLimited<'r, K> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match Self::check(request) {
            Ok(limited) => Outcome::Success(limited),
            Err(problem) => Outcome::Error((problem.stash_for_catcher(request), ())),
        }
    }
}
