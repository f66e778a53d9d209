//! Response bodies.

use rocket::http::{Header, Status};
use rocket::response::{Responder, status};
use rocket::serde::json::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::email::Email;
use crate::model::user::Username;

/// An account's name and address.
#[derive(Serialize, ToSchema)]
pub(super) struct User {
    #[schema(inline)]
    pub(super) username: Username,
    // A generated client must not check the format, because its rules may be stricter than those of the service.
    #[schema(value_type = String, example = "alice@example.com")]
    pub(super) email: Email,
    /// The address that is to replace it, once it is verified. Absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, example = "alice@example.org")]
    pub(super) pending_email: Option<Email>,
}

impl User {
    pub(super) fn new(username: Username, email: Email) -> Self {
        Self {
            username,
            email,
            pending_email: None,
        }
    }

    /// An account whose address is to be changed.
    pub(super) fn with_pending(username: Username, email: Email, pending: Email) -> Self {
        Self {
            pending_email: Some(pending),
            ..Self::new(username, email)
        }
    }
}

/// An access token (RFC 6749 section 5.1).
#[derive(Serialize, ToSchema)]
pub(super) struct AccessToken {
    /// To be sent as `Authorization: Bearer <access_token>`. Its content is not part of the API.
    #[schema(example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl")]
    access_token: String,
    #[schema(pattern = "^Bearer$", example = "Bearer")]
    token_type: &'static str,
    /// The seconds until the token expires.
    #[schema(minimum = 1, example = 86400)]
    expires_in: u64,
}

/// 201 with a token, which no cache may store.
#[derive(Responder)]
pub(super) struct IssuedToken {
    token: status::Custom<Json<AccessToken>>,
    caching: Header<'static>,
}

impl IssuedToken {
    pub(super) fn new(access_token: String, expires_in: u64) -> Self {
        let token = AccessToken {
            access_token,
            token_type: "Bearer",
            expires_in,
        };
        Self {
            token: status::Custom(Status::Created, Json(token)),
            caching: Header::new("Cache-Control", "no-store"),
        }
    }
}
