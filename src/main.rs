//! The `roster` program: one binary that serves the directory and looks after it.

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use roster::config::{Config, Store, Tools};
use roster::{cli, graphql, serve};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Roster: a people directory for engineering insight, served over one GraphQL API.
///
/// Without a command it serves.
#[derive(Parser)]
#[command(version)]
struct Command {
    #[command(flatten)]
    store: Store,
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Subcommand)]
enum Task {
    /// Serve the directory over HTTP.
    Serve(Box<Config>),
    /// Read an integration's tool: all of what it says, or nothing.
    Run {
        #[command(flatten)]
        args: cli::RunArgs,
        #[command(flatten)]
        tools: Tools,
    },
    #[command(flatten)]
    Other(cli::Command),
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut command = Command::parse();
    if command.task.is_none() {
        command = Command::parse_from(std::env::args_os().chain(["serve".into()]));
    }
    let Command { store, task } = command;
    let database_url = store.database_url();
    let setup = cli::Setup { database_url: database_url.expose(), data_dir: &store.data_dir, sdl: graphql::sdl };
    match task {
        None => ExitCode::from(2),
        Some(Task::Serve(config)) => {
            for name in Config::unknown_variables(&Command::command()) {
                let _ = writeln!(std::io::stderr(), "roster: {name} is no setting; see roster serve --help");
            }
            match serve::serve(&store, &config).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(&error),
            }
        }
        Some(Task::Run { args, tools }) => match serve::connectors(&tools) {
            Ok(connectors) => cli::run_integration(args, connectors, &setup).await,
            Err(error) => failed(&error),
        },
        Some(Task::Other(command)) => cli::run(command, &setup).await,
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "roster: {error:#}");
    ExitCode::from(2)
}
