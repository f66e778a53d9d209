//! The sources of settings: defaults, the settings file and the environment, each overriding the one before.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use rocket::figment::{
    Error as FigmentError, Figment, Metadata, Profile, Provider,
    providers::{Format, Serialized, Toml},
    value::{Dict, Map, Value},
};

use crate::config::explain::{ConfigError, explain};
use crate::config::schema::{Config, Defaults, PREFIX};

/// Names the settings file; without it, the file is `Rocket.toml` in the working directory.
const FILE_VARIABLE: &str = "HEROLO_CONFIG";
/// The prefix of the test suite's own variables, which a developer may have exported.
const TEST_PREFIX: &str = "HEROLO_TEST_";

impl Config {
    /// Reads the settings of this process: the environment overrides the settings file, which overrides the defaults.
    ///
    /// # Errors
    /// The first setting that is missing, unknown or malformed, with the fix.
    pub fn load() -> Result<Self, ConfigError> {
        Self::from_layers(&layers(settings_file()?, environment()?.into_iter())?)
    }

    /// The address that the service listens on. Reads no other setting, so a health check needs no secrets.
    ///
    /// # Errors
    /// An address or port that is malformed, with the fix.
    pub(crate) fn listen_address() -> Result<SocketAddr, ConfigError> {
        let is_needed = |(name, _): &(String, String)| {
            let name = name.strip_suffix("_FILE").unwrap_or(name);
            name.eq_ignore_ascii_case("HEROLO_ADDRESS") || name.eq_ignore_ascii_case("HEROLO_PORT")
        };
        let variables = environment()?.into_iter().filter(is_needed);
        let layers = layers(settings_file()?, variables)?;
        let address: IpAddr = layers.extract_inner("address").map_err(explain)?;
        Ok(SocketAddr::from((
            address,
            layers.extract_inner("port").map_err(explain)?,
        )))
    }

    pub(super) fn from_layers(layers: &Figment) -> Result<Self, ConfigError> {
        layers.extract::<Self>().map_err(explain)?.check()
    }
}

/// Merges the defaults, the settings file and the environment, each overriding the one before.
pub(super) fn layers(
    file: Option<Figment>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Figment, ConfigError> {
    let mut layers = Figment::from(Serialized::defaults(Defaults::default()));
    if let Some(file) = file {
        layers = layers.merge(file);
    }
    Ok(layers.merge(Environment::read(environment)?))
}

/// The settings file: the one that `HEROLO_CONFIG` names, otherwise `Rocket.toml` if it exists.
fn settings_file() -> Result<Option<Figment>, ConfigError> {
    let path = match std::env::var(FILE_VARIABLE) {
        Ok(path) if !Path::new(&path).is_file() => {
            return Err(ConfigError::new(
                FILE_VARIABLE,
                format!("there is no file '{path}'"),
            ));
        }
        Ok(path) => path,
        Err(_) if Path::new("Rocket.toml").is_file() => "Rocket.toml".to_owned(),
        Err(_) => return Ok(None),
    };
    settings_below_default(Toml::file_exact(path)).map(Some)
}

/// The settings of a file, all of which belong below `[default]`. Any other table is refused as a mistake.
pub(super) fn settings_below_default(file: impl Provider) -> Result<Figment, ConfigError> {
    let file = Figment::from(file);
    let tables: Dict = file.extract().map_err(explain)?;
    let Some((table, fault)) = tables.iter().find_map(|(table, value)| match value {
        _ if table != "default" => Some((table, "is outside [default]")),
        Value::Dict(..) => None,
        _ => Some((table, "is not a table")),
    }) else {
        return Ok(file.focus("default"));
    };
    let source = file
        .find_metadata(table)
        .and_then(|metadata| metadata.source.as_ref());
    let name = source.map_or_else(|| "the settings file".to_owned(), ToString::to_string);
    Err(ConfigError(format!(
        "{name}: '{table}' {fault}; move all settings below one line [default]"
    )))
}

/// The environment variables of this process that start with the prefix. Other variables need not be UTF-8.
fn environment() -> Result<Vec<(String, String)>, ConfigError> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(ConfigError::new(&name, "must be UTF-8 text")),
        })
        .collect()
}

/// Settings from environment variables: `HEROLO_<NAME>` holds a value, `HEROLO_<NAME>_FILE` the path of a file with it.
struct Environment(Dict);

impl Environment {
    fn read(variables: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut values = Dict::new();
        for (variable, text) in variables {
            let Some(name) = variable.strip_prefix(PREFIX) else {
                continue;
            };
            if variable == FILE_VARIABLE || variable.starts_with(TEST_PREFIX) {
                continue;
            }
            let (name, value) = match name.strip_suffix("_FILE") {
                Some(name) => (name, read_secret_file(&variable, &text)?),
                None => (name, text),
            };
            if values
                .insert(name.to_ascii_lowercase(), typed(value))
                .is_some()
            {
                return Err(ConfigError::new(
                    &format!("{PREFIX}{name}"),
                    format!("is also set as {PREFIX}{name}_FILE; unset one of them"),
                ));
            }
        }
        Ok(Self(values))
    }
}

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named("the environment")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, FigmentError> {
        Ok(Profile::Default.collect(self.0.clone()))
    }
}

/// Reads a file such as a Docker secret, without the trailing line break that editors add.
fn read_secret_file(variable: &str, path: &str) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map(|content| content.trim_end_matches(['\r', '\n']).to_owned())
        // The message leaves the path out: it may be the secret itself, put into the wrong variable.
        .map_err(|error| {
            ConfigError::new(
                variable,
                format!("names a file that cannot be read: {error}"),
            )
        })
}

/// Gives a variable's text its type: a number, a boolean or a string.
fn typed(text: String) -> Value {
    if let Ok(number) = text.parse::<u64>() {
        return Value::from(number);
    }
    text.parse::<bool>()
        .map_or_else(|_| Value::from(text), Value::from)
}
