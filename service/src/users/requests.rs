//! Request bodies.

use utoipa::ToSchema;

use crate::http::body::{Fields, FromFields};
use crate::http::problem::Problem;
use crate::model::email::Email;
use crate::model::invalid::{FieldError, Invalid};
use crate::model::password::{NewPassword, SubmittedPassword};
use crate::model::secret_code::SecretCode;
use crate::model::user::Username;

/// The maximum length of a code; those of this version are shorter.
const MAX_CODE_CHARS: usize = 64;

/// The account to create.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    #[schema(inline)]
    pub(crate) username: Username,
    #[schema(inline)]
    pub(crate) email: Email,
    #[schema(inline)]
    pub(crate) password: NewPassword,
    /// The code of an invitation, which some services require; see `getServiceInfo`. It is used up if the account is
    /// created.
    #[schema(value_type = Option<String>, nullable = false, max_length = 64, example = "3k9v0c7m2x8q5r1t6w4z0hjnpd")]
    pub(crate) invitation: Option<SecretCode>,
}

impl FromFields for NewUser {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let username = fields.text("username", Username::parse);
        let email = fields.text("email", Email::parse);
        let password = fields.text("password", |password| {
            let mut password = NewPassword::parse(password)?;
            // Without a valid username and address the request is refused anyway.
            if let Some(username) = &username {
                password = password.for_user(username)?;
            }
            match &email {
                Some(email) => password.for_mailbox(email),
                None => Ok(password),
            }
        });
        let invitation = fields.optional_text("invitation", secret_code);
        Some(Self {
            username: username?,
            email: email?,
            password: password?,
            invitation,
        })
    }
}

/// A text of another form than that of codes is a wrong code.
pub(crate) fn secret_code(text: String) -> Result<SecretCode, Invalid> {
    if text.chars().count() > MAX_CODE_CHARS {
        return Err(format!("must be at most {MAX_CODE_CHARS} characters long").into());
    }
    Ok(SecretCode::submitted(&text))
}

/// The password of the account in the path.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Password {
    #[schema(inline)]
    pub(crate) password: SubmittedPassword,
}

impl FromFields for Password {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            password: fields.text("password", SubmittedPassword::parse)?,
        })
    }
}

/// The current password and a new one.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"password": "correct horse battery", "new_password": "staple of the horse"}))]
pub(crate) struct PasswordChange {
    #[schema(inline)]
    pub(crate) password: SubmittedPassword,
    #[schema(inline)]
    pub(crate) new_password: NewPassword,
}

impl FromFields for PasswordChange {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let password = fields.text("password", SubmittedPassword::parse);
        let new_password = fields.text("new_password", NewPassword::parse);
        Some(Self {
            password: password?,
            new_password: new_password?,
        })
    }
}

impl PasswordChange {
    /// Refuses a new password that is little more than the username, which the body does not contain.
    pub(crate) fn for_user(self, username: &Username) -> Result<Self, Problem> {
        let new_password = self.new_password.for_user(username);
        Ok(Self {
            new_password: new_password.map_err(refused_password)?,
            ..self
        })
    }
}

/// The problem of a new password that its account must not have.
pub(crate) fn refused_password(Invalid(detail): Invalid) -> Problem {
    Problem::Invalid(vec![FieldError::field("new_password", detail)])
}
