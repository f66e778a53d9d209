//! The policy of sign-ups: the guard that applies it, and what clients can learn of it in advance.

use rocket::http::Header;
use rocket::request::{FromRequest, Outcome, Request};
use rocket::response::Responder;
use rocket::serde::json::Json;
use rocket::{State, get};
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::{Config, ConfigError, SignUpPolicy};
use crate::http::problem::Problem;
use crate::http::request::state;

/// Shared caches and browsers may use the response for a minute; it changes with the settings only.
const CACHING: &str = "public, max-age=60";

/// The properties of this service that matter before anyone has signed in.
#[derive(Clone, Copy, Serialize, ToSchema)]
pub(super) struct ServiceInfo {
    /// The sign-ups that are accepted: `open`: all; `invited`: those with an invitation; `closed`: none. Values may be
    /// added.
    #[schema(value_type = String, pattern = "^[a-z-]+$", example = "invited")]
    sign_ups: SignUpPolicy,
    /// Whether users can invite others.
    #[schema(example = true)]
    user_invitations: bool,
    /// Present, and true, if the service sends mails: forgotten passwords can be replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<bool>, nullable = false, example = true)]
    mail: Option<bool>,
}

impl ServiceInfo {
    /// # Errors
    /// An invalid setting.
    pub(super) fn of(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self {
            sign_ups: config.sign_ups,
            user_invitations: config.user_invitations > 0,
            mail: config.mail()?.map(|_| true),
        })
    }
}

/// The response, which caches may store.
#[derive(Responder)]
pub(super) struct CacheableInfo {
    info: Json<ServiceInfo>,
    caching: Header<'static>,
}

/// Find out whether this service accepts sign-ups, and whether it sends mails.
///
/// It requires neither an access token nor the database, and may be cached for a minute.
#[utoipa::path(tag = "users", operation_id = "getServiceInfo", responses(
    (status = 200, description = "The properties of this service.", body = ServiceInfo),
))]
#[get("/service")]
pub(super) fn service_info(info: &State<ServiceInfo>) -> CacheableInfo {
    CacheableInfo {
        info: Json(*info.inner()),
        caching: Header::new("Cache-Control", CACHING),
    }
}

/// A request to a service that accepts sign-ups: all of them, or those with an invitation.
pub(super) struct AcceptsSignUps {
    is_invitation_needed: bool,
}

impl AcceptsSignUps {
    /// Refuses a sign-up without the invitation that it needs.
    pub(super) fn check_invitation(&self, is_given: bool) -> Result<(), Problem> {
        if self.is_invitation_needed && !is_given {
            return Err(Problem::InvitationNeeded);
        }
        Ok(())
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for AcceptsSignUps {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let policy = state::<ServiceInfo>(request).map(|info| info.sign_ups);
        let accepted = policy.and_then(|policy| match policy {
            SignUpPolicy::Open => Ok(false),
            SignUpPolicy::Invited => Ok(true),
            SignUpPolicy::Closed => Err(Problem::SignUpsClosed),
        });
        match accepted {
            Ok(is_invitation_needed) => Outcome::Success(Self {
                is_invitation_needed,
            }),
            Err(problem) => Outcome::Error((problem.stash_for_catcher(request), ())),
        }
    }
}
