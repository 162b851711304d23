//! `roster demo`.

use clap::Args;

use super::progress::{BAR, bar};
use super::report::grouped;
use super::{EXIT_CODES, Outcome, Setup, actor, open_directory, print};
use crate::demo::{Progress, Step, fill};

/// What to fill the directory with.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct DemoArgs {
    /// How many users. On top of them come those made from accounts whose email is nobody's.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=5_000_000))]
    pub users: u64,

    /// Which organisation of that size: the same seed gives the same one.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
}

pub(super) async fn run(args: DemoArgs, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let directory = open_directory(setup).await?;
    let bar = bar(Some(args.users), BAR);
    let show = |progress: Progress| {
        bar.set_message(match progress.step {
            Step::Users => "users",
            Step::Accounts => "accounts",
            Step::OrgUnits => "org units",
        });
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    };
    let spool = setup.spool();
    let filled = Box::pin(fill(&directory, &actor(), (args.users, args.seed), &spool, show)).await;
    bar.finish_and_clear();
    let filled = filled?;
    print(&format!(
        "The directory has {} users ({} of them made from accounts), {} accounts ({} of them with nobody) and {} org \
         units.\n",
        grouped(filled.users),
        grouped(filled.users.saturating_sub(args.users)),
        grouped(filled.accounts),
        grouped(filled.unmatched),
        grouped(filled.org_units),
    ))?;
    Ok(Outcome::Done)
}
