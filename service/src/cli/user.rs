//! The commands of the operator's work on accounts: `herolo user ...`.

use std::io::Read as _;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::output::{Output, Table};
use crate::config::Config;
use crate::db;
use crate::model::email::Email;
use crate::model::invalid::Invalid;
use crate::model::user::Username;
use crate::users::administration::{
    AccountRecord, Administration, AdministrationError, CreatedAccount, OperatorInvitation,
};

/// The most of a password that is read from standard input.
const MAX_PASSWORD_BYTES: u64 = 1_024;

/// Manages accounts. Shows nobody's messages.
#[derive(Args)]
pub(super) struct UserArguments {
    #[command(subcommand)]
    command: UserCommand,
    /// Print JSON instead of a table.
    #[arg(long, global = true)]
    json: bool,
    /// The operator who runs the command, for the log.
    #[arg(long, global = true, value_name = "NAME")]
    operator: Option<String>,
}

#[derive(Subcommand)]
enum UserCommand {
    /// List accounts in the order of their names.
    List {
        /// Only suspended accounts.
        #[arg(long)]
        suspended: bool,
        /// Only accounts after this name, or the beginning of one.
        #[arg(long, default_value = "", value_name = "USERNAME")]
        after: String,
        /// The maximum number of accounts.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Show an account.
    Show { username: String },
    /// Create an account, and print a generated password. Reserved usernames are allowed.
    Create {
        username: String,
        email: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Make an invitation to sign up, and print its code.
    Invite {
        /// The days until it expires.
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=365))]
        days: u16,
    },
    /// Suspend an account: its requests are refused, its tokens revoked, its event streams ended.
    Suspend { username: String },
    /// End the suspension of an account. Its tokens stay revoked.
    Resume { username: String },
    /// Replace the password of an account, revoke its tokens, and print the generated password.
    ResetPassword {
        username: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Revoke all access tokens of an account.
    RevokeTokens { username: String },
    /// Delete an account and all messages that it sent.
    Delete {
        username: String,
        /// Confirms that the account and its messages cannot be restored.
        #[arg(long, required = true)]
        yes: bool,
    },
}

/// The source of a new password, which is never an argument: other users of a machine can see those.
#[derive(Args)]
struct PasswordSource {
    /// Read the password from standard input instead of generating one.
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordSource {
    /// The password from standard input, without the trailing line break; `None` if it is to be generated.
    fn read(&self) -> Result<Option<String>, String> {
        if !self.password_stdin {
            return Ok(None);
        }
        let mut text = String::new();
        let mut input = std::io::stdin().lock().take(MAX_PASSWORD_BYTES);
        input
            .read_to_string(&mut text)
            .map_err(|error| format!("cannot read the password: {error}"))?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

impl UserCommand {
    /// The name of the command and of the account that it concerns, for the log.
    fn subject(&self) -> (&'static str, &str) {
        match self {
            Self::List { .. } => ("list", ""),
            Self::Show { username } => ("show", username),
            Self::Create { username, .. } => ("create", username),
            Self::Invite { .. } => ("invite", ""),
            Self::Suspend { username } => ("suspend", username),
            Self::Resume { username } => ("resume", username),
            Self::ResetPassword { username, .. } => ("reset-password", username),
            Self::RevokeTokens { username } => ("revoke-tokens", username),
            Self::Delete { username, .. } => ("delete", username),
        }
    }
}

/// Runs the command, logs it with its outcome, and returns what to print.
pub(super) async fn run(config: &Config, arguments: &UserArguments) -> Result<String, String> {
    let options = config.connect_options();
    let options = options.map_err(|error| error.to_string())?;
    let database = db::open(options).await.map_err(|error| error.to_string())?;
    let outcome = carry_out(&arguments.command, &Administration::new(database)).await;
    let (command, username) = arguments.command.subject();
    let operator = arguments.operator.as_deref().unwrap_or_default();
    match &outcome {
        Ok(_) => tracing::info!(command, username, operator, "a command of the operator"),
        Err(error) => {
            tracing::warn!(command, username, operator, %error, "a command of the operator failed");
        }
    }
    let output = outcome?;
    if arguments.json {
        return Ok(output.json);
    }
    Ok(output.text)
}

async fn carry_out(
    command: &UserCommand,
    administration: &Administration,
) -> Result<Output, String> {
    match command {
        UserCommand::List {
            suspended,
            after,
            limit,
        } => {
            let after = beginning(after)?;
            let accounts = administration.list(&after, *limit, *suspended).await;
            Ok(listed(&accounts.map_err(text)?, *limit))
        }
        UserCommand::Show { username } => {
            let account = administration.show(name(username)?).await.map_err(text)?;
            Ok(shown(&account))
        }
        UserCommand::Create {
            username,
            email,
            password,
        } => {
            let (username, email) = (name(username)?, address(email)?);
            let created = administration.create(username, email, password.read()?);
            let created = created.await.map_err(text)?;
            Ok(with_password("The account was created.", &created))
        }
        UserCommand::Invite { days } => {
            let invitation = administration.invite(*days).await.map_err(text)?;
            Ok(invited(&invitation))
        }
        UserCommand::ResetPassword { username, password } => {
            let reset = administration.reset_password(name(username)?, password.read()?);
            let done = "The password was replaced, and all tokens were revoked.";
            Ok(with_password(done, &reset.await.map_err(text)?))
        }
        change => carry_out_change(change, administration).await,
    }
}

/// The commands that print no more than what they did.
async fn carry_out_change(
    command: &UserCommand,
    administration: &Administration,
) -> Result<Output, String> {
    let (_, username) = command.subject();
    let username = name(username)?;
    let (outcome, done) = match command {
        UserCommand::Suspend { .. } => (
            administration.suspend(username.clone()).await,
            "The account is suspended.",
        ),
        UserCommand::Resume { .. } => (
            administration.resume(username.clone()).await,
            "The account is no longer suspended; its user signs in again.",
        ),
        UserCommand::RevokeTokens { .. } => (
            administration.revoke_tokens(username.clone()).await,
            "All tokens were revoked.",
        ),
        _ => (
            administration.delete(username.clone()).await,
            "The account was deleted; its messages follow within minutes.",
        ),
    };
    outcome.map_err(text)?;
    let result = json!({"username": username});
    Ok(Output::of(&result, done.to_owned()))
}

fn shown(account: &AccountRecord) -> Output {
    let pending = account.pending_email.as_ref();
    let pending = pending.map(|email| format!("\nTo be verified: {}", email.as_str()));
    let text = table([account]) + &pending.unwrap_or_default();
    Output::of(account, text)
}

/// A list that has as many accounts as it may tells how to continue.
fn listed(accounts: &[AccountRecord], limit: u32) -> Output {
    let is_full = usize::try_from(limit).is_ok_and(|limit| accounts.len() >= limit);
    let last = accounts.last().filter(|_| is_full);
    let next = last.map(|account| &account.username);
    let more =
        next.map(|name| format!("\nThere may be more accounts: continue with --after {name}"));
    let text = table(accounts.iter()) + &more.unwrap_or_default();
    Output::of(&json!({"users": accounts, "next_after": next}), text)
}

fn table<'a>(accounts: impl IntoIterator<Item = &'a AccountRecord>) -> String {
    let mut table = Table::new([
        "USERNAME",
        "E-MAIL",
        "VERIFIED",
        "CREATED (UTC)",
        "SUSPENDED (UTC)",
    ]);
    let time = |time: DateTime<Utc>| time.format("%F %T").to_string();
    for account in accounts {
        table.row([
            account.username.to_string(),
            account.email.as_str().to_owned(),
            if account.email_verified { "yes" } else { "no" }.to_owned(),
            time(account.created_at),
            account.suspended_at.map_or_else(|| "-".to_owned(), time),
        ]);
    }
    table.text()
}

fn with_password(done: &str, account: &CreatedAccount) -> Output {
    let text = match &account.password {
        Some(password) => format!("{done} The password of {}: {password}", account.username),
        None => done.to_owned(),
    };
    Output::of(account, text)
}

fn invited(invitation: &OperatorInvitation) -> Output {
    let text = format!(
        "The code, for one account until {} UTC: {}\nThe address in a browser: https://<domain>/#/invitation/{}",
        invitation.expires_at.format("%F %R"),
        invitation.code,
        invitation.code
    );
    Output::of(invitation, text)
}

fn name(text: &str) -> Result<Username, String> {
    Username::parse(text.to_owned())
        .map_err(|Invalid(reason)| format!("the username '{}' {reason}", text.escape_debug()))
}

/// A username or the beginning of one. Other characters than ASCII cannot be compared with the column.
fn beginning(text: &str) -> Result<String, String> {
    if !text.is_ascii() {
        let escaped = text.escape_debug();
        return Err(format!(
            "'{escaped}' has a character that usernames cannot have: give --after a username or the beginning of one"
        ));
    }
    Ok(text.to_ascii_lowercase())
}

fn address(text: &str) -> Result<Email, String> {
    Email::parse(text.to_owned())
        .map_err(|Invalid(reason)| format!("the address '{}' {reason}", text.escape_debug()))
}

fn text(error: AdministrationError) -> String {
    error.to_string()
}
