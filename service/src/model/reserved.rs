//! Usernames that nobody can sign up with.

use crate::model::invalid::Invalid;
use crate::model::user::Username;

/// Names that other users would take for the operator, the service or a role: the mailboxes that RFC 2142 gives to
/// roles, those of administrators, and words that programs put in place of a name. Sorted.
const RESERVED: [&str; 64] = [
    "abuse",
    "account",
    "admin",
    "administrator",
    "admins",
    "all",
    "anonymous",
    "api",
    "billing",
    "bot",
    "contact",
    "daemon",
    "default",
    "everybody",
    "everyone",
    "ftp",
    "guest",
    "help",
    "helpdesk",
    "herolo",
    "hostmaster",
    "info",
    "invitation",
    "invitations",
    "legal",
    "mail",
    "mailer-daemon",
    "marketing",
    "mod",
    "moderator",
    "moderators",
    "news",
    "no-reply",
    "nobody",
    "noc",
    "noreply",
    "notifications",
    "null",
    "official",
    "operator",
    "operators",
    "owner",
    "postmaster",
    "privacy",
    "registrar",
    "root",
    "sales",
    "security",
    "service",
    "staff",
    "status",
    "superuser",
    "support",
    "sysadmin",
    "system",
    "team",
    "undefined",
    "unknown",
    "usenet",
    "user",
    "uucp",
    "webmaster",
    "www",
    "you",
];

/// The reserved names, together with those that the operator adds.
pub(crate) struct ReservedUsernames {
    added: Vec<String>,
}

impl ReservedUsernames {
    /// The built-in names and these, in lower case.
    pub(crate) fn with(added: Vec<String>) -> Self {
        Self { added }
    }

    /// Refuses a reserved name, whether or not an account has it.
    ///
    /// # Errors
    /// The reason, as a phrase that continues "username".
    pub(crate) fn refuse(&self, username: &Username) -> Result<(), Invalid> {
        let name = username.as_str();
        if RESERVED.binary_search(&name).is_ok() || self.added.iter().any(|added| added == name) {
            return Err("is reserved for the operator of this service; choose another one".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserved_names_are_valid_and_sorted() {
        assert!(RESERVED.is_sorted());
        for name in RESERVED {
            let parsed = Username::parse(name.to_owned()).expect(name);
            assert_eq!(parsed.as_str(), name);
        }
    }

    #[test]
    fn a_reserved_name_is_refused_in_any_case_and_others_are_not() {
        let reserved = ReservedUsernames::with(vec!["mayor".to_owned()]);
        for (name, is_accepted) in [
            ("Admin", false),
            ("POSTMASTER", false),
            ("mayor", false),
            ("admin.alice", true),
            ("alice", true),
        ] {
            let username = Username::parse(name.to_owned()).expect(name);
            assert_eq!(reserved.refuse(&username).is_ok(), is_accepted, "{name}");
        }
    }
}
