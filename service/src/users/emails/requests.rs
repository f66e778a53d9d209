//! Request bodies.

use utoipa::ToSchema;

use crate::http::body::{Fields, FromFields};
use crate::model::email::Email;
use crate::model::password::SubmittedPassword;
use crate::model::secret_code::SecretCode;
use crate::users::requests::secret_code;

/// A new e-mail address and the account's password.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "alice@example.org", "password": "correct horse battery"}))]
pub(crate) struct EmailChange {
    #[schema(inline)]
    pub(crate) email: Email,
    #[schema(inline)]
    pub(crate) password: SubmittedPassword,
}

impl FromFields for EmailChange {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email = fields.text("email", Email::parse);
        let password = fields.text("password", SubmittedPassword::parse);
        Some(Self {
            email: email?,
            password: password?,
        })
    }
}

/// The code from a mail.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmailVerification {
    /// The code, in upper or lower case.
    #[schema(value_type = String, max_length = 64, example = "3k9v0c7m2x8q5r1t6w4z0hjnpd")]
    pub(crate) code: SecretCode,
}

impl FromFields for EmailVerification {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            code: fields.text("code", secret_code)?,
        })
    }
}
