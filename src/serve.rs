//! Puts the rooms together: opens the database and the directory, and serves them over HTTP until told to stop.

use std::io;
use std::sync::Arc;

use crate::config::{Config, Store};
use crate::database::{Database, Options};
use crate::directory::csv::Style;
use crate::directory::{Clock, Directory, Error};
use crate::filter::Filter;
use crate::http::{AppState, Backend, Produce, Refused, server};
use crate::{graphql, telemetry};

/// Serves the directory in `store`, until the process is told to stop.
///
/// # Errors
/// One that names the setting at fault: an address in use, a database that cannot be opened, a folder that cannot be
/// written.
pub async fn serve(store: &Store, config: &Config) -> anyhow::Result<()> {
    telemetry::start(&config.log)?;
    let stop = server::stop_signal()?;
    let listener = server::bind(config.listen).await?;
    let directory = open(store, config).await?;
    let state = AppState::new(backend(&directory), config, store.spool_dir())?;
    let address = listener.local_addr()?;
    tracing::info!(%address, users = directory.index().user_count(), "Roster listens on http://{address}/graphql");
    server::serve(listener, state, stop).await;
    directory.database().clone().close().await?;
    Ok(())
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
    })
    .await?;
    Ok(Directory::open(database, Clock::System).await?)
}

/// What the HTTP room asks of the directory.
pub fn backend(directory: &Directory) -> Backend {
    let schema = graphql::schema();
    let (for_graphql, for_probes, for_users, for_sample) =
        (directory.clone(), directory.clone(), directory.clone(), directory.clone());
    Backend {
        execute: Arc::new(move |request, id| {
            let (schema, directory) = (schema.clone(), for_graphql.clone());
            Box::pin(async move { graphql::execute(&schema, &directory, request.data(id)).await })
        }),
        ready: Arc::new(move || {
            let directory = for_probes.clone();
            Box::pin(async move { directory.refresh().await.is_ok() })
        }),
        users_csv: Arc::new(move |filter| {
            let directory = for_users.clone();
            Box::pin(async move { users_csv(&directory, filter.as_deref()).await })
        }),
        sample_csv: Arc::new(move |_| {
            let directory = for_sample.clone();
            Box::pin(async move {
                directory.refresh().await.map_err(|error| refused(&error))?;
                let file = directory.sample_csv(Style::default()).map_err(|error| refused(&error))?;
                let produce: Produce = Box::new(|mut writer| Box::pin(async move { writer.append(file).await }));
                Ok(produce)
            })
        }),
    }
}

async fn users_csv(directory: &Directory, filter: Option<&str>) -> Result<Produce, Refused> {
    let filter: Option<Filter> = match filter.map(serde_json::from_str).transpose() {
        Ok(filter) => filter,
        Err(error) => {
            let message = format!("`filter` is not a filter in JSON, as in docs/filters.md: {error}");
            return Err(Refused { code: "INVALID_INPUT", message });
        }
    };
    let mut export =
        directory.export_users(filter.as_ref(), Style::default()).await.map_err(|error| refused(&error))?;
    Ok(Box::new(|mut writer| {
        Box::pin(async move {
            while let Some(piece) = export.next().await.map_err(io::Error::other)? {
                writer.append(piece).await?;
            }
            Ok(())
        })
    }))
}

fn refused(error: &Error) -> Refused {
    if matches!(error, Error::Internal(_) | Error::Unavailable(_)) {
        tracing::error!(?error, "an export cannot begin");
    }
    Refused { code: error.code(), message: error.to_string() }
}
