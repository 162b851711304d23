//! Puts the rooms together: opens the database and the directory, and serves them over HTTP until told to stop.

mod sign_in;

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures_util::{FutureExt, StreamExt};

use crate::config::{self, Config, Store, Switch, Tools};
use crate::connector::Policy;
use crate::database::{Database, Options};
use crate::directory::csv::{ExportOptions, Style};
use crate::directory::{self, Clock, Connectors, Directory, Error, IntegrationMeasures, Keys, Measures, Secret};
use crate::graphql::OtherSignIn;
use crate::graphql::permission::Permissions;
use crate::http::{AppState, Backend, Begin, Download, Gauge, Produce, Refused, server};
use crate::stop::stop_signal;
use crate::{graphql, telemetry};

/// Serves the directory in `store`, until the process is told to stop.
///
/// # Errors
/// One that names the setting at fault: an address in use, a database that cannot be opened, a folder that cannot be
/// written.
pub async fn serve(store: &Store, config: &Config) -> anyhow::Result<()> {
    telemetry::start(&config.log)?;
    let connectors = connectors(&config.tools)?;
    let stop = stop_signal().context("cannot listen to signals")?;
    let listener = server::bind(config.listen, config.sign_in.auth).await?;
    let directory = open(store, config).await?.connecting_with(connectors);
    let shut = directory.renew_credentials().await?;
    if !shut.is_empty() {
        let names = shut.join(", ");
        tracing::warn!(
            "the stored credentials of these integrations were encrypted with a key that is not in ROSTER_SECRET_KEY: {names}"
        );
    }
    let state = AppState::new(backend(&directory, config)?, config, store.spool_dir())?;
    let address = listener.local_addr()?;
    sign_in::show_first_token(&directory, &config.sign_in, &address.to_string()).await?;
    tracing::info!(%address, users = directory.index().user_count(), "Roster listens on http://{address}/graphql");
    let tending = tokio::spawn(tend(directory.clone()));
    server::serve(listener, state, stop).await;
    tending.abort();
    if let Err(error) = directory.leave_runs().await {
        tracing::warn!(?error, "runs under way are taken over a little later");
    }
    directory.database().clone().close().await?;
    Ok(())
}

/// How often drafts and runs that others have left, runs that are due, and erasures that are not finished are looked for.
const TENDING: Duration = Duration::from_secs(5);

async fn tend(directory: Directory) {
    loop {
        tend_once(&directory).await;
        tokio::time::sleep(TENDING).await;
    }
}

/// Whatever becomes of one of these, the others are done, and all are done again.
async fn tend_once(directory: &Directory) {
    attempt("import drafts cannot be tended now", directory.tend_drafts()).await;
    attempt("runs of integrations cannot be tended now", directory.tend_runs()).await;
    attempt("the database cannot give up what was erased from it now", directory.tend_erasures()).await;
}

async fn attempt(failure: &str, work: impl Future<Output = directory::Result<()>>) {
    // The panic hook has logged a panic.
    if let Ok(Err(error)) = AssertUnwindSafe(work).catch_unwind().await {
        tracing::warn!(?error, "{failure}");
    }
}

/// How the directory reads tools, as the settings say.
///
/// # Errors
/// Where a key is none; it is not shown.
pub fn connectors(tools: &Tools) -> anyhow::Result<Connectors> {
    // A variable that is set to nothing is none.
    let given = tools.secret_key.iter().map(config::Secret::expose).filter(|key| !key.trim().is_empty());
    let keys = Keys::parse(given).map_err(|error| anyhow::anyhow!("ROSTER_SECRET_KEY: {error}"))?;
    let policy = Policy {
        allowed_hosts: tools.connector_allow.iter().filter(|host| !host.is_empty()).cloned().collect(),
        repositories: tools.repositories.clone(),
        ..Policy::default()
    };
    Ok(Connectors::new(policy, keys, |name| config::credential(name).map(|secret| Secret::new(secret.expose()))))
}

async fn open(store: &Store, config: &Config) -> anyhow::Result<Directory> {
    let folder = &store.data_dir;
    std::fs::create_dir_all(folder).map_err(|error| {
        anyhow::anyhow!("cannot make the data directory {}: {error} (--data-dir)", folder.display())
    })?;
    let database = Database::open(&Options {
        url: store.database_url().expose().to_owned(),
        readers: config.pool.pool_size,
        patience: config.pool.pool_timeout,
        statement_timeout: config.pool.statement_timeout,
    })
    .await?;
    let directory = Directory::open(database, Clock::System).await?;
    Ok(directory.spooling_in(store.spool_dir()))
}

/// What the HTTP room asks of the directory.
///
/// # Errors
/// One that names the setting at fault.
pub fn backend(directory: &Directory, config: &Config) -> anyhow::Result<Backend> {
    let issuer = sign_in::issuer(&config.sign_in)?;
    let permissions =
        Permissions::of_schema().map_err(|error| anyhow::anyhow!("the schema cannot be read: {error}"))?;
    let other = OtherSignIn(issuer.is_some());
    let schema = graphql::schema();
    let is_told = config.limits.introspection == Switch::On;
    let tell = move |response| if is_told { response } else { graphql::without_schema(response) };
    let (for_graphql, for_probes, for_metrics) = (directory.clone(), directory.clone(), directory.clone());
    let (streaming, for_streams) = (schema.clone(), directory.clone());
    Ok(Backend {
        authenticate: sign_in::authenticate(directory, issuer),
        permit: Arc::new(|document, operation, role| permissions.check(document, operation, role)),
        execute: Arc::new(move |request, id| {
            let (schema, directory) = (schema.clone(), for_graphql.clone());
            let response = async move { graphql::execute(&schema, &directory, request.data(id).data(other)).await };
            Box::pin(response.map(tell))
        }),
        subscribe: Arc::new(move |request, id| {
            let (schema, directory) = (streaming.clone(), for_streams.clone());
            let stream = async move { graphql::subscribe(&schema, &directory, request.data(id)).await };
            stream.flatten_stream().map(tell).boxed()
        }),
        ready: Arc::new(move || {
            let directory = for_probes.clone();
            Box::pin(async move { directory.refresh().await.is_ok() })
        }),
        measure: Arc::new(move || {
            let directory = for_metrics.clone();
            Box::pin(async move { Some(gauges(&directory.measure().await.ok()?)) })
        }),
        users_csv: begin(directory, users_csv),
        org_units_csv: begin(directory, org_units_csv),
        import_errors_csv: begin(directory, import_errors_csv),
        unmatched_accounts_csv: begin(directory, unmatched_accounts_csv),
    })
}

/// How the directory is, as metrics.
#[expect(clippy::cast_precision_loss, reason = "nothing here is counted to 2^53")]
fn gauges(of: &Measures) -> Vec<Gauge> {
    let each = |number: fn(&IntegrationMeasures) -> Option<f64>| {
        of.integrations.iter().filter_map(move |one| Some((one.name.clone(), number(one)?)))
    };
    let accounts = each(|one| Some(one.accounts as f64));
    let failures = each(|one| Some(f64::from(one.failures)));
    let succeeded = each(|one| Some(one.succeeded_at?.timestamp() as f64));
    vec![
        Gauge::of("directory_version", "The number of the last changeset", of.version as f64),
        Gauge::of("users", "Users", of.users as f64),
        Gauge::of("org_units", "Org units", of.org_units as f64),
        Gauge::each("integration_accounts", "Accounts, with those that are gone", "integration", accounts),
        Gauge::each("integration_failures", "Failed runs since the last that did not", "integration", failures),
        Gauge::each(
            "integration_last_success_timestamp_seconds",
            "When the last run that succeeded ended",
            "integration",
            succeeded,
        ),
    ]
}

/// A file that begins with a verb of the directory.
fn begin<F>(
    directory: &Directory,
    verb: impl Fn(Directory, Vec<(String, String)>) -> F + Copy + Send + Sync + 'static,
) -> Begin
where
    F: Future<Output = directory::Result<Download>> + Send + 'static,
{
    let directory = directory.clone();
    Arc::new(move |parameters, role| {
        let begun = verb(directory.seen_by(role), parameters);
        Box::pin(async move { begun.await.map_err(|error| refused(&error)) })
    })
}

async fn users_csv(directory: Directory, parameters: Vec<(String, String)>) -> directory::Result<Download> {
    let options = ExportOptions::from_parameters(&parameters)?;
    let mut export = Box::pin(directory.export_users(&options)).await?;
    let (rows, version) = (export.total() as u64, export.version());
    let produce: Produce = Box::new(|mut writer| {
        Box::pin(async move {
            while let Some(piece) = export.next().await.map_err(io::Error::other)? {
                writer.append(piece).await?;
            }
            Ok(export.rows() as u64)
        })
    });
    Ok(Download { rows, version, produce })
}

async fn org_units_csv(directory: Directory, parameters: Vec<(String, String)>) -> directory::Result<Download> {
    if let Some((name, _)) = parameters.first() {
        return Err(Error::invalid(name, "UNKNOWN_PARAMETER", "an export of org units takes no parameters"));
    }
    directory.refresh().await?;
    let (version, rows) = {
        let index = directory.index();
        (index.version(), index.org_units().count() as u64)
    };
    let file = directory.export_org_units(Style::default()).await?;
    let produce: Produce = Box::new(move |mut writer| {
        Box::pin(async move {
            writer.append(file).await?;
            Ok(rows)
        })
    });
    Ok(Download { rows, version, produce })
}

async fn unmatched_accounts_csv(
    directory: Directory,
    parameters: Vec<(String, String)>,
) -> directory::Result<Download> {
    let (query, style) = directory.link_parameters(&parameters)?;
    let mut export = Box::pin(directory.export_account_links(query, style)).await?;
    let (rows, version) = (export.total() as u64, export.version());
    let produce: Produce = Box::new(move |mut writer| {
        Box::pin(async move {
            while let Some(piece) = export.next().await.map_err(io::Error::other)? {
                writer.append(piece).await?;
            }
            Ok(rows)
        })
    });
    Ok(Download { rows, version, produce })
}

async fn import_errors_csv(directory: Directory, parameters: Vec<(String, String)>) -> directory::Result<Download> {
    let draft = parameters.iter().find(|(name, _)| name == "draft").map(|(_, id)| id.as_str());
    let (mut file, rows) = directory.draft_error_rows(draft.unwrap_or_default()).await?;
    let produce: Produce = Box::new(move |mut writer| {
        Box::pin(async move {
            loop {
                let mut piece = vec![0; PIECE];
                let (read, back) = tokio::task::spawn_blocking(move || {
                    let read = io::Read::read(&mut file, &mut piece).map(|length| {
                        piece.truncate(length);
                        piece
                    });
                    (read, file)
                })
                .await
                .map_err(io::Error::other)?;
                file = back;
                let piece = read?;
                if piece.is_empty() {
                    return Ok(rows);
                }
                writer.append(piece).await?;
            }
        })
    });
    Ok(Download { rows, version: directory.version(), produce })
}

/// The bytes of one piece of a file.
const PIECE: usize = 1 << 16;

fn refused(error: &Error) -> Refused {
    if matches!(error, Error::Internal(_) | Error::Unavailable(_) | Error::DiskFull(_)) {
        tracing::error!(?error, "an export cannot begin");
    }
    Refused { code: error.code(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::set_scrub_due;

    #[tokio::test]
    async fn what_panics_as_it_is_tended_keeps_nothing_else_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}?mode=rwc", folder.path().join("roster.db").display());
        let clock = Clock::stepped();
        let database = Database::open(&Options::to(url)).await.unwrap();
        let directory = Directory::open(database, clock.clone()).await.unwrap();
        let transaction = directory.database().begin_write().await.unwrap();
        set_scrub_due(&transaction, 1).await.unwrap();
        directory.database().commit(transaction).await.unwrap();

        let Clock::Stepped(stepped) = &clock else { unreachable!() };
        stepped.break_at(0);
        let panicked = AssertUnwindSafe(directory.tend_drafts()).catch_unwind().await;
        assert!(panicked.is_err());
        assert_eq!(directory.database().scrub_due().await.unwrap(), 1);
        tend_once(&directory).await;
        assert_eq!(directory.database().scrub_due().await.unwrap(), 0);
    }
}
