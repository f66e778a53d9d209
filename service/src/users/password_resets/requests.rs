//! Request bodies.

use utoipa::ToSchema;

use crate::http::body::{Fields, FromFields};
use crate::model::email::Email;
use crate::model::invalid::Invalid;
use crate::model::password::NewPassword;
use crate::model::secret_code::SecretCode;
use crate::model::user::Username;
use crate::users::requests::secret_code;

/// The maximum length of an e-mail address, which is longer than that of a username.
const MAX_CHARS: usize = 254;

/// The account whose password is forgotten.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForgottenPassword {
    /// The username or the e-mail address.
    #[schema(value_type = String, max_length = 254, example = "alice")]
    pub(crate) account: Account,
}

/// A normalized username or e-mail address, as the database has it.
pub(crate) struct Account(pub(crate) String);

impl Account {
    /// A text that is neither a username nor an address is that of no account.
    fn parse(text: String) -> Result<Self, Invalid> {
        if text.chars().count() > MAX_CHARS {
            return Err(format!("must be at most {MAX_CHARS} characters long").into());
        }
        let text = text.trim().to_owned();
        let name = if text.contains('@') {
            Email::parse(text).map(|email| email.normalized())
        } else {
            Username::parse(text).map(|username| username.as_str().to_owned())
        };
        Ok(Self(name.unwrap_or_default()))
    }
}

impl FromFields for ForgottenPassword {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            account: fields.text("account", Account::parse)?,
        })
    }
}

/// The code from the mail and a new password.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "3k9v0c7m2x8q5r1t6w4z0hjnpd", "new_password": "staple of the horse"}))]
pub(crate) struct PasswordReset {
    /// The code, in upper or lower case.
    #[schema(value_type = String, max_length = 64)]
    pub(crate) code: SecretCode,
    #[schema(inline)]
    pub(crate) new_password: NewPassword,
}

impl FromFields for PasswordReset {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let code = fields.text("code", secret_code);
        let new_password = fields.text("new_password", NewPassword::parse);
        Some(Self {
            code: code?,
            new_password: new_password?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(text: &str) -> String {
        Account::parse(text.to_owned()).expect("short").0
    }

    #[test]
    fn an_account_is_found_by_any_spelling_of_its_names() {
        assert_eq!(account(" Alice\n"), "alice");
        assert_eq!(
            account("Alice@MÜLLER.example"),
            "alice@xn--mller-kva.example"
        );
        for neither in ["", "~7", "a@b@", "two words"] {
            assert_eq!(account(neither), "");
        }
    }
}
