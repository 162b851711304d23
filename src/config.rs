//! CONFIGURATION. Every setting, its default and its documentation, as one struct; the only reader of the environment.
//!
//! Each setting is a flag and an environment variable of the same name: `--data-dir` is `ROSTER_DATA_DIR`. The flag
//! wins. What does not live here: what a setting does. This room imports nothing from the others.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ipnet::IpNet;

/// How a Roster server is set up, beside where the directory is kept.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// The address to listen on. With `--auth none` only a loopback address is taken.
    #[arg(long, env = "ROSTER_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,

    /// Who is let in.
    #[command(flatten)]
    pub sign_in: SignIn,

    /// What is logged.
    #[command(flatten)]
    pub log: Log,

    /// Connections to the database.
    #[command(flatten)]
    pub pool: Pool,

    /// How the tools of integrations are read.
    #[command(flatten)]
    pub tools: Tools,

    /// What a connection and a request may take.
    #[command(flatten)]
    pub http: Http,

    /// What one GraphQL document may ask.
    #[command(flatten)]
    pub limits: Limits,
}

/// Where the directory is kept; every command takes it.
#[derive(Args, Clone, Debug)]
pub struct Store {
    /// Where the directory is kept: `sqlite://FILE` or `postgres://…`. Without it, `roster.db` in the data directory.
    #[arg(long, env = "ROSTER_DATABASE_URL", global = true, value_name = "URL", hide_env_values = true)]
    pub database_url: Option<Secret>,

    /// The folder for the SQLite file and for uploads and exports under way.
    #[arg(long, env = "ROSTER_DATA_DIR", global = true, value_name = "FOLDER", default_value = "data")]
    pub data_dir: PathBuf,
}

/// Who is let in.
#[derive(Args, Clone, Debug)]
pub struct SignIn {
    /// Who may call: whoever has a token, or everybody who reaches the port.
    #[arg(long, env = "ROSTER_AUTH", value_enum, default_value_t = Auth::Tokens)]
    pub auth: Auth,

    /// An OIDC issuer whose tokens are taken, too, exactly as they name it.
    #[arg(long, env = "ROSTER_OIDC_ISSUER", value_name = "URL", requires = "oidc_audience")]
    pub oidc_issuer: Option<String>,

    /// Whom the issuer's tokens have to be for.
    #[arg(long, env = "ROSTER_OIDC_AUDIENCE", value_name = "NAME", requires = "oidc_issuer")]
    pub oidc_audience: Option<String>,

    /// The claim that holds roles: a text or a list of texts. `.` leads into an object.
    #[arg(long, env = "ROSTER_OIDC_ROLE_CLAIM", value_name = "NAME", default_value = "roles")]
    pub oidc_role_claim: String,

    /// Which value of the claim gives which role. Without any, the names of the roles do: RESOLVER, READER, EDITOR, ADMIN.
    #[arg(long, env = "ROSTER_OIDC_ROLE", value_name = "NAME=ROLE,…", value_delimiter = ',')]
    pub oidc_role: Vec<String>,

    /// Where the issuer's keys are. Without it, where `/.well-known/openid-configuration` of the issuer says.
    #[arg(long, env = "ROSTER_OIDC_JWKS_URL", value_name = "URL", requires = "oidc_issuer")]
    pub oidc_jwks_url: Option<String>,

    /// Points a minute for each token: a query takes 1, a mutation 5, an upload or an export 100. 0 is no limit. With
    /// `--auth none` nobody is counted.
    #[arg(long, env = "ROSTER_RATE_LIMIT", value_name = "POINTS", default_value_t = 6_000)]
    pub rate_limit: u64,

    /// Networks of proxies that are believed when they say in `X-Forwarded-For` whom they call for.
    #[arg(long, env = "ROSTER_TRUSTED_PROXIES", value_name = "NETWORK,…", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
}

/// Who may call.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Whoever has a token.
    Tokens,
    /// Everybody who reaches the port, which only this machine can. They may do everything.
    None,
}

/// How the tools of integrations are read; `serve` and `run` do.
#[derive(Args, Clone, Debug)]
pub struct Tools {
    /// The key that stored credentials are encrypted with: 32 random bytes as base64, as `head -c 32 /dev/urandom | base64` prints
    /// them. Further ones after it decrypt what was encrypted with them. Without one no credential can be stored.
    #[arg(long, env = "ROSTER_SECRET_KEY", value_name = "KEY,…", value_delimiter = ',', hide_env_values = true)]
    pub secret_key: Vec<Secret>,

    /// Hosts and networks that integrations may read although their addresses are private, such as
    /// `jira.corp.example` or `10.1.0.0/16`.
    #[arg(long, env = "ROSTER_CONNECTOR_ALLOW", value_name = "HOST,…", value_delimiter = ',')]
    pub connector_allow: Vec<String>,

    /// The folder below which integrations of the kind GIT read repositories. Without one they read none.
    #[arg(long, env = "ROSTER_REPOSITORIES", value_name = "FOLDER")]
    pub repositories: Option<PathBuf>,
}

/// The variable that people keep their token in. A server reads it as little as any other program's.
const TOKEN: &str = "ROSTER_TOKEN";

/// What the names of the environment's variables begin with that integrations may take their credentials from.
const CREDENTIALS: &str = "ROSTER_CREDENTIAL_";

/// The credential of an integration that stands in the environment.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
pub fn credential(name: &str) -> Option<Secret> {
    std::env::var(name).ok().filter(|_| name.starts_with(CREDENTIALS)).map(Secret)
}

/// What is logged.
#[derive(Args, Clone, Debug)]
pub struct Log {
    /// How log lines look.
    #[arg(long, env = "ROSTER_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,roster::http=debug`.
    #[arg(long, env = "ROSTER_LOG", value_name = "DIRECTIVES", default_value = "info")]
    pub log: String,
}

/// How log lines look.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// Connections to the database.
#[derive(Args, Clone, Debug)]
pub struct Pool {
    /// Connections for reading. SQLite has one more, for writing.
    #[arg(long, env = "ROSTER_POOL_SIZE", default_value_t = 8)]
    pub pool_size: u32,

    /// How long a request waits for a free connection before it is told to try again.
    #[arg(long, env = "ROSTER_POOL_TIMEOUT", value_name = "TIME", value_parser = time, default_value = "2s")]
    pub pool_timeout: Duration,

    /// How long PostgreSQL may take for one statement, and wait for the next one of a transaction. A connection that says
    /// nothing for longer is given up as lost.
    #[arg(long, env = "ROSTER_STATEMENT_TIMEOUT", value_name = "TIME", value_parser = time, default_value = "60s")]
    pub statement_timeout: Duration,
}

/// What a connection and a request may take.
#[derive(Args, Clone, Debug)]
pub struct Http {
    /// Host names, besides `localhost` and loopback addresses, by which browsers may call this server. With `--auth none`
    /// any other name is refused, so that no web page can reach the directory by pointing its own name at this machine;
    /// with tokens, only where some are set.
    #[arg(long, env = "ROSTER_ALLOWED_HOSTS", value_name = "NAME,…", value_delimiter = ',')]
    pub allowed_hosts: Vec<String>,

    /// The server's certificate, with those up to a known authority after it, as PEM. With it only TLS is spoken. A renewed
    /// file is taken without a restart.
    #[arg(long, env = "ROSTER_TLS_CERTIFICATE", value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,

    /// The certificate's private key, as PEM.
    #[arg(long, env = "ROSTER_TLS_KEY", value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,

    /// Origins whose pages may call this server, such as `https://app.example`; they bring a token. None if left out.
    #[arg(long, env = "ROSTER_CORS_ORIGINS", value_name = "ORIGIN,…", value_delimiter = ',')]
    pub cors_origins: Vec<String>,

    /// A JSON file of the only documents that run, each under its SHA-256. Clients send `documentId`, or the text.
    #[arg(long, env = "ROSTER_TRUSTED_DOCUMENTS", value_name = "FILE")]
    pub trusted_documents: Option<PathBuf>,

    /// The most connections at a time; further ones wait in the system's queue.
    #[arg(long, env = "ROSTER_MAX_CONNECTIONS", default_value_t = 1024)]
    pub max_connections: u32,

    /// The most queries and mutations that are carried out at a time, however they come; further ones are told at once to
    /// try again.
    #[arg(long, env = "ROSTER_MAX_REQUESTS", default_value_t = 256)]
    pub max_requests: u32,

    /// How long a client may take to send a request's headers, or to begin on a WebSocket, and how long a connection may
    /// stay idle between requests.
    #[arg(long, env = "ROSTER_HEADER_TIMEOUT", value_name = "TIME", value_parser = time, default_value = "10s")]
    pub header_timeout: Duration,

    /// How long a body, or a reply being read, may make no progress. A body has to keep 1 KiB/s on average after this.
    #[arg(long, env = "ROSTER_STALL_TIMEOUT", value_name = "TIME", value_parser = time, default_value = "30s")]
    pub stall_timeout: Duration,

    /// How long requests under way may take to finish after a stop signal.
    #[arg(long, env = "ROSTER_DRAIN_TIMEOUT", value_name = "TIME", value_parser = time, default_value = "10s")]
    pub drain_timeout: Duration,

    /// How long an operation may run.
    #[arg(long, env = "ROSTER_DEADLINE", value_name = "TIME", value_parser = time, default_value = "10s")]
    pub deadline: Duration,

    /// How long an operation with an uploaded file may run, after the file has arrived.
    #[arg(long, env = "ROSTER_UPLOAD_DEADLINE", value_name = "TIME", value_parser = time, default_value = "5m")]
    pub upload_deadline: Duration,

    /// The largest JSON body, and the largest message on a WebSocket.
    #[arg(long, env = "ROSTER_MAX_BODY", value_name = "SIZE", value_parser = size, default_value = "8MiB")]
    pub max_body: u64,

    /// The longest GraphQL document.
    #[arg(long, env = "ROSTER_MAX_QUERY", value_name = "SIZE", value_parser = size, default_value = "16KiB")]
    pub max_query: u64,

    /// The longest variables, as JSON.
    #[arg(long, env = "ROSTER_MAX_VARIABLES", value_name = "SIZE", value_parser = size, default_value = "8MiB")]
    pub max_variables: u64,

    /// The largest uploaded file.
    #[arg(long, env = "ROSTER_MAX_UPLOAD", value_name = "SIZE", value_parser = size, default_value = "1GiB")]
    pub max_upload: u64,

    /// The largest file of an export, while it waits for its reader.
    #[arg(long, env = "ROSTER_MAX_EXPORT", value_name = "SIZE", value_parser = size, default_value = "4GiB")]
    pub max_export: u64,

    /// The most uploads and, counted apart, the most exports at a time; further ones are told to try again.
    #[arg(long, env = "ROSTER_MAX_TRANSFERS", default_value_t = 4)]
    pub max_transfers: u32,

    /// The most WebSockets and event streams at a time, together; further ones are told to try again.
    #[arg(long, env = "ROSTER_MAX_STREAMS", default_value_t = 256)]
    pub max_streams: u32,

    /// The most operations under way on one WebSocket.
    #[arg(long, env = "ROSTER_MAX_OPERATIONS", default_value_t = 32)]
    pub max_operations: u32,

    /// How often a WebSocket is pinged, and an event stream shows that it is alive. A WebSocket from which nothing has
    /// come between two pings is closed.
    #[arg(long, env = "ROSTER_PING_INTERVAL", value_name = "TIME", value_parser = time, default_value = "20s")]
    pub ping_interval: Duration,
}

/// What one GraphQL document may ask. Fragments count once for each place that spreads them.
#[derive(Args, Clone, Debug)]
pub struct Limits {
    /// The deepest nesting of fields.
    #[arg(long, env = "ROSTER_MAX_DEPTH", default_value_t = 12)]
    pub max_depth: u32,

    /// The most fields.
    #[arg(long, env = "ROSTER_MAX_FIELDS", default_value_t = 2_000)]
    pub max_fields: u32,

    /// The most aliases.
    #[arg(long, env = "ROSTER_MAX_ALIASES", default_value_t = 50)]
    pub max_aliases: u32,

    /// The most directives, wherever they stand.
    #[arg(long, env = "ROSTER_MAX_DIRECTIVES", default_value_t = 50)]
    pub max_directives: u32,

    /// The most fields at the root of an operation.
    #[arg(long, env = "ROSTER_MAX_ROOT_FIELDS", default_value_t = 20)]
    pub max_root_fields: u32,

    /// The most operations and fragments.
    #[arg(long, env = "ROSTER_MAX_DEFINITIONS", default_value_t = 50)]
    pub max_definitions: u32,

    /// The most objects that the document can ask for, by its `first`, `last` and list arguments.
    #[arg(long, env = "ROSTER_MAX_COST", default_value_t = 10_000)]
    pub max_cost: u32,

    /// Whether the schema can be asked for. Without it, errors name nothing of the schema, either.
    #[arg(long, env = "ROSTER_INTROSPECTION", value_enum, default_value_t = Switch::On)]
    pub introspection: Switch,

    /// How many items a connection is reckoned to have when neither `first` nor `last` is given: the default page.
    #[arg(long, env = "ROSTER_PAGE", default_value_t = 25)]
    pub page: u32,
}

/// Whether something is done.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// Text that must not be logged: its `Debug` form is three dots.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl Store {
    /// The database to open: the one that is set, or the SQLite file in the data directory.
    #[must_use]
    pub fn database_url(&self) -> Secret {
        self.database_url
            .clone()
            .unwrap_or_else(|| Secret(format!("sqlite://{}?mode=rwc", self.data_dir.join("roster.db").display())))
    }

    /// The folder for uploads and exports under way. Files in it have no names; nothing outlives the process.
    #[must_use]
    pub fn spool_dir(&self) -> PathBuf {
        self.data_dir.join("spool")
    }
}

impl Config {
    /// Variables in the environment that begin with `ROSTER_` and are none of `known`'s: most likely misspelt.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
    pub fn unknown_variables(known: &clap::Command) -> Vec<String> {
        fn knows(command: &clap::Command, name: &str) -> bool {
            command.get_arguments().any(|argument| argument.get_env().is_some_and(|env| env == name))
                || command.get_subcommands().any(|below| knows(below, name))
        }
        std::env::vars_os()
            .filter_map(|(name, _)| name.into_string().ok())
            .filter(|name| name.starts_with("ROSTER_") && !name.starts_with(CREDENTIALS) && name != TOKEN)
            .filter(|name| !knows(known, name))
            .collect()
    }
}

/// Reads `10s`, `500ms`, `5m` or `1h`.
fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) = number_and_unit(text)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("a time is a whole number with `ms`, `s`, `m` or `h`, such as `10s`".to_owned()),
    };
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(|| "too long".to_owned())
}

/// Reads `10.0.0.0/8` or `10.1.2.3`.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let one = |_| text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(one).map_err(|_| "write networks or addresses, such as `10.0.0.0/8` or `10.1.2.3`".to_owned())
}

/// Reads `512`, `64KiB`, `1MiB` or `1GiB`.
fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = number_and_unit(text)?;
    let bytes = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("a size is a whole number with `KiB`, `MiB` or `GiB`, such as `1MiB`".to_owned()),
    };
    number.checked_mul(bytes).ok_or_else(|| "too large".to_owned())
}

fn number_and_unit(text: &str) -> Result<(u64, &str), String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Ok((number.parse().map_err(|_| "it has to begin with a whole number".to_owned())?, unit.trim()))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        store: Store,
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn every_setting_has_a_default() {
        let Command { store, config } = Command::parse_from(["roster"]);
        assert_eq!(config.listen.to_string(), "127.0.0.1:8000");
        assert_eq!(store.database_url().expose(), "sqlite://data/roster.db?mode=rwc");
        assert_eq!(config.http.max_body, 8 * 1024 * 1024);
        assert_eq!(config.http.deadline, Duration::from_secs(10));
        assert_eq!(config.limits.max_cost, 10_000);
    }

    #[test]
    fn every_setting_is_an_environment_variable_named_after_its_flag_and_has_help() {
        for argument in Command::command().get_arguments() {
            let Some(flag) = argument.get_long() else { continue };
            let name = format!("ROSTER_{}", flag.to_uppercase().replace('-', "_"));
            assert_eq!(argument.get_env().map(|env| env.to_string_lossy().into_owned()), Some(name));
            assert!(argument.get_help().is_some(), "--{flag} has no help");
        }
    }

    #[test]
    fn the_password_in_a_database_url_is_not_shown() {
        let store = Command::parse_from(["roster", "--database-url", "postgres://a:hush@db/roster"]).store;
        assert!(!format!("{store:?}").contains("hush"));
        assert_eq!(store.database_url().expose(), "postgres://a:hush@db/roster");
    }

    #[test]
    fn proxies_are_networks_or_addresses_and_an_issuer_has_an_audience() {
        let parse = |line: &str| Command::try_parse_from(line.split(' '));
        let config = parse("roster --trusted-proxies 10.0.0.0/8,::1").unwrap().config;
        assert_eq!(
            config.sign_in.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["10.0.0.0/8", "::1/128"]
        );
        assert!(parse("roster --trusted-proxies proxy.example").is_err());
        assert!(parse("roster --oidc-issuer https://a.example").is_err());
        assert!(parse("roster --oidc-issuer https://a.example --oidc-audience roster").is_ok());
    }

    #[test]
    fn times_and_sizes_have_units() {
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(size("16KiB"), Ok(16 * 1024));
        assert_eq!(size("7"), Ok(7));
        for wrong in ["", "s", "10", "10 parsecs", "99999999999999999999s", "9999999999999999999h"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "KiB", "1kB", "-1", "99999999999GiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
