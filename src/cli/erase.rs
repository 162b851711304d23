//! `roster erase` and `roster subject`.

use clap::Args;
use serde::Serialize;

use super::report::count;
use super::{EXIT_CODES, Outcome, Setup, actor, open_directory, print};

/// Whom to erase.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_CODES)]
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
        is_scrubbed: erased.is_scrubbed,
    };
    let text = if args.json {
        serde_json::to_string_pretty(&report)?
    } else {
        let later =
            if report.is_scrubbed { "" } else { "\nThe database's files still hold what was erased: it is in use." };
        format!(
            "Erased, in changeset {}: the user, {}, {} in the log, {}.{later}",
            report.version,
            count(report.account_count, "account"),
            count(report.change_count, "change"),
            count(report.import_draft_count, "import draft")
        )
    };
    print(&(text + "\n"))?;
    Ok(Outcome::Done)
}

pub(super) async fn subject(args: SubjectArgs, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let directory = open_directory(setup).await?;
    let data = Box::pin(directory.personal_data(directory.find_user(&args.user)?)).await?;
    print(&(serde_json::to_string_pretty(&data)? + "\n"))?;
    Ok(Outcome::Done)
}
