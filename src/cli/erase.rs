//! `roster erase` and `roster subject`.

use clap::Args;
use serde::Serialize;

use super::report::count;
use super::{EXIT_CODES, EXIT_CODES_LEFT, Outcome, Setup, actor, note, open_directory, print};

/// Whom to erase.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_CODES_LEFT)]
pub struct EraseArgs {
    /// The user: an id, or an email.
    #[arg(value_name = "USER")]
    pub user: String,

    /// One of the user's emails, so that nobody is erased by a slip. There is no undo.
    #[arg(long, value_name = "EMAIL")]
    pub confirm: String,

    /// Report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// On whom to tell what is held.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct SubjectArgs {
    /// The user: an id, or an email.
    #[arg(value_name = "USER")]
    pub user: String,
}

/// What was erased; the words are those of the GraphQL payload.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    version: i64,
    account_count: u64,
    change_count: u64,
    import_draft_count: u64,
    reported_by: Vec<String>,
    is_scrubbed: bool,
}

pub(super) async fn run(args: EraseArgs, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let directory = open_directory(setup).await?;
    let id = directory.find_user(&args.user)?;
    let erased = Box::pin(directory.erase_user(&actor(), id, &args.confirm)).await?;
    let report = Report {
        version: erased.version,
        account_count: erased.accounts,
        change_count: erased.changes,
        import_draft_count: erased.drafts,
        reported_by: erased.reported_by.iter().map(|integration| integration.name.clone()).collect(),
        is_scrubbed: erased.is_scrubbed,
    };
    let text = if args.json {
        serde_json::to_string_pretty(&report)?
    } else {
        let tools = match report.reported_by.join(", ") {
            tools if tools.is_empty() => tools,
            tools => {
                format!("\nErase the accounts in {tools}, too: where they still are, the next sync makes a user again.")
            }
        };
        format!(
            "Erased, in changeset {}: the user, {}, {} in the log, {}.{tools}",
            report.version,
            count(report.account_count, "account"),
            count(report.change_count, "change"),
            count(report.import_draft_count, "import draft")
        )
    };
    print(&(text + "\n"))?;
    if report.is_scrubbed {
        return Ok(Outcome::Done);
    }
    note(
        "the database's files still hold what was erased, since somebody reads them; a server that runs on them has it go as \
         soon as nobody does, and so does the next erasure",
    );
    Ok(Outcome::Left)
}

pub(super) async fn subject(args: SubjectArgs, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let directory = open_directory(setup).await?;
    let data = Box::pin(directory.personal_data(directory.find_user(&args.user)?)).await?;
    print(&(serde_json::to_string_pretty(&data)? + "\n"))?;
    Ok(Outcome::Done)
}
