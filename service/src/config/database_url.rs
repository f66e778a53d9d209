//! The URL of the database. The driver ignores what it does not know, so all of it is checked here: a misspelt
//! parameter would turn off the verification of the server.

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};

const FORM: &str = "mysql://user:password@host:3306/herolo";
const ENCODE: &str = "percent-encode special characters of the password";
const FILES: [&str; 3] = ["ssl-ca", "ssl-cert", "ssl-key"];
const MODES: [&str; 5] = [
    "DISABLED",
    "PREFERRED",
    "REQUIRED",
    "VERIFY_CA",
    "VERIFY_IDENTITY",
];

/// The options for connecting to the database of this URL. An error continues a sentence that begins with the setting.
pub(super) fn connect_options(url: &str) -> Result<MySqlConnectOptions, String> {
    if !url.starts_with("mysql://") {
        return Err(format!("must start with mysql:// ({FORM})"));
    }
    if url.contains('#') {
        return Err(format!(
            "has a #, which begins no parameter; write %23 ({ENCODE})"
        ));
    }
    let parameters = Parameters::of(url)?;
    let options: MySqlConnectOptions = url
        .parse()
        .map_err(|_| format!("is not a URL of the form {FORM} ({ENCODE})"))?;
    if url.starts_with("mysql:///") {
        return Err(format!("names no host ({FORM})"));
    }
    check_database(options.get_database().unwrap_or_default())?;
    // The driver would look up an IPv6 address with its brackets as a name.
    let host = options.get_host().trim_matches(['[', ']']).to_owned();
    let mode = parameters.verified_mode(options.get_ssl_mode())?;
    parameters.check_files()?;
    Ok(options.host(&host).ssl_mode(mode))
}

fn check_database(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("names no database; end it with one: ...:3306/herolo".to_owned());
    }
    // Not shown, since it can be a part of the password.
    if name.contains(['/', '@', '&', ';', '=', '?']) {
        return Err(format!(
            "names a database with one of / @ & ; = ?; parameters begin with ? ({FORM}?ssl-mode=VERIFY_IDENTITY), and \
             {ENCODE}"
        ));
    }
    Ok(())
}

/// The parameters by their names, each once.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn of(url: &str) -> Result<Self, String> {
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let mut parameters = Self(Vec::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
            // An unknown name is not shown, since it can be a part of the password.
            if name != "ssl-mode" && !FILES.contains(&name.as_str()) {
                let files = FILES.join(", ");
                return Err(format!(
                    "has a parameter that is not known; the parameters are ssl-mode, {files} ({ENCODE})"
                ));
            }
            if parameters.get(&name).is_some() {
                return Err(format!("has {name} more than once"));
            }
            if name == "ssl-mode" && !MODES.iter().any(|mode| mode.eq_ignore_ascii_case(&value)) {
                return Err(format!("its ssl-mode must be one of {}", MODES.join(", ")));
            }
            parameters.0.push((name, value));
        }
        Ok(parameters)
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The mode of TLS, in place of one that falls back to plain text or ignores the files.
    fn verified_mode(&self, mode: MySqlSslMode) -> Result<MySqlSslMode, String> {
        let has_ca = self.get("ssl-ca").is_some();
        match mode {
            MySqlSslMode::Preferred if has_ca => Ok(MySqlSslMode::VerifyIdentity),
            MySqlSslMode::Preferred => Ok(MySqlSslMode::Required),
            MySqlSslMode::Required | MySqlSslMode::Disabled if has_ca => Err(
                "has an ssl-ca, which its ssl-mode ignores; use ssl-mode=VERIFY_IDENTITY".to_owned(),
            ),
            MySqlSslMode::Disabled if FILES.iter().any(|file| self.get(file).is_some()) => Err(
                "has an ssl-cert or ssl-key, which ssl-mode=DISABLED ignores; leave one of them out"
                    .to_owned(),
            ),
            mode => Ok(mode),
        }
    }

    fn check_files(&self) -> Result<(), String> {
        if self.get("ssl-cert").is_some() != self.get("ssl-key").is_some() {
            return Err("needs both ssl-cert and ssl-key, or neither".to_owned());
        }
        for name in FILES {
            let Some(file) = self.get(name) else { continue };
            let (content, mark) = match name {
                "ssl-key" => ("private key", "PRIVATE KEY-----"),
                _ => ("certificate", "-----BEGIN CERTIFICATE-----"),
            };
            let text = std::fs::read_to_string(file).map_err(|error| {
                format!("the file of its {name} cannot be read: {file}: {error}")
            })?;
            if !text.contains(mark) {
                return Err(format!(
                    "the file of its {name} has no {content} in PEM: {file}"
                ));
            }
        }
        Ok(())
    }
}
