//! Drafts whose process is gone, or has been silent for too long: others go on with them, and it writes nothing more.

use chrono::{DateTime, TimeDelta, Utc};
use entity::import_draft::{self, Column, DraftState, ImportKind};
use entity::{ImportDraftId, import_draft_change, import_draft_chunk};
use roster::directory::csv::{ChangeKind, ImportOptions};
use roster::directory::{ApplyOptions, Directory, NewDraft};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter};
use uuid::Uuid;

use crate::support::{Site, export, file, me, on_each};

/// How many users a draft makes whose comparison takes long enough to be interfered with.
const MANY: usize = 3_000;

async fn create(directory: &Directory, users: usize) -> ImportDraftId {
    let rows: String = (0..users).map(|user| format!("User {user},user{user}@corp.example\n")).collect();
    let new = NewDraft {
        file: file(format!("Name,Email\n{rows}")),
        kind: ImportKind::Users,
        file_name: "users.csv".into(),
        options: ImportOptions::default(),
        client_mutation_id: Some("r1".into()),
        mapping: None,
    };
    directory.create_draft(&me(), new).await.unwrap()
}

/// Sets columns of a draft in this state, past everybody who works on it; whether there was one.
pub(crate) async fn set(site: &Site, state: DraftState, columns: &[(Column, Expr)]) -> bool {
    let mut update = import_draft::Entity::update_many().filter(Column::State.eq(state));
    for (column, value) in columns {
        update = update.col_expr(*column, value.clone());
    }
    let transaction = site.database().begin_side_write().await.unwrap();
    let changed = update.exec(&transaction).await.unwrap().rows_affected;
    site.database().commit(transaction).await.unwrap();
    changed == 1
}

/// As if a process had begun work on a draft, and been silent for long since then.
pub(crate) fn left_by_another() -> [(Column, Expr); 2] {
    [(Column::Worker, Expr::value(Uuid::from_u128(7))), (Column::LeasedUntil, Expr::value(DateTime::<Utc>::UNIX_EPOCH))]
}

/// A draft that was compared, made to look as if a process had stopped while it was in `state`.
async fn left_in(site: &Site, state: DraftState, attempts: i32) -> ImportDraftId {
    let id = create(site, 3).await;
    site.finish_draft(id).await;
    let [worker, lease] = left_by_another();
    let changes = [(Column::State, Expr::value(state)), (Column::Attempts, Expr::value(attempts)), worker, lease];
    assert!(set(site, DraftState::Ready, &changes).await);
    id
}

async fn state(directory: &Directory, id: ImportDraftId) -> (DraftState, Option<String>) {
    let row = directory.draft(id).await.unwrap().row;
    (row.state, row.message)
}

/// How many users a draft would make, by its report and by its changes.
async fn created(directory: &Directory, id: ImportDraftId) -> (u64, u64) {
    let changes = import_draft_change::Entity::find().filter(import_draft_change::Column::DraftId.eq(id));
    let report = directory.draft(id).await.unwrap().report;
    let by_report = report.map_or(0, |report| report.changes(Some(ChangeKind::Created)));
    (by_report, changes.count(directory.database().readers()).await.unwrap())
}

async fn apply(directory: &Directory, id: ImportDraftId) -> DraftState {
    directory.apply_draft(&me(), id, ApplyOptions::default()).await.unwrap().row.state
}

#[test]
fn a_comparison_that_stopped_is_done_by_another_process() {
    on_each(async |site: &Site| {
        let id = left_in(site, DraftState::Comparing, 1).await;
        let other = site.another_process().await;
        other.tend_drafts().await.unwrap();
        other.finish_draft(id).await;
        assert_eq!(state(site, id).await, (DraftState::Ready, None));
        assert_eq!((site.draft(id).await.unwrap().row.attempts, created(site, id).await), (2, (3, 3)));
        assert_eq!(apply(&other, id).await, DraftState::Applied);
        site.refresh().await.unwrap();
        assert_eq!(export(site).await.lines().count(), 4);
    });
}

#[test]
fn a_draft_whose_process_is_at_work_is_left_alone() {
    on_each(async |site: &Site| {
        let id = left_in(site, DraftState::Comparing, 1).await;
        let until = site.draft(id).await.unwrap().row.created_at + chrono::Duration::seconds(15);
        assert!(set(site, DraftState::Comparing, &[(Column::LeasedUntil, Expr::value(until))]).await);
        let other = site.another_process().await;
        other.tend_drafts().await.unwrap();
        other.finish_draft(id).await;
        let row = site.draft(id).await.unwrap().row;
        assert_eq!((row.state, row.worker), (DraftState::Comparing, Some(Uuid::from_u128(7))));
    });
}

#[test]
fn a_comparison_that_stopped_three_times_is_given_up_until_somebody_asks_for_it() {
    on_each(async |site: &Site| {
        let id = left_in(site, DraftState::Comparing, 3).await;
        let other = site.another_process().await;
        other.tend_drafts().await.unwrap();
        other.finish_draft(id).await;
        let message = "the comparison stopped again and again; have it compared once more";
        assert_eq!(state(site, id).await, (DraftState::Interrupted, Some(message.into())));
        other.rebase_draft(id, None).await.unwrap();
        other.finish_draft(id).await;
        assert_eq!((state(site, id).await, created(site, id).await), ((DraftState::Ready, None), (3, 3)));
        assert_eq!(apply(site, id).await, DraftState::Applied);
    });
}

#[test]
fn a_comparison_that_panics_is_done_again_and_given_up_after_three_times() {
    on_each(async |site: &Site| {
        let clock = site.stepped();
        // The draft has the next id; the users that it would make have those after it.
        clock.break_at(clock.count() + 2);
        let id = create(site, 3).await;
        for attempt in 1..=3 {
            site.finish_draft(id).await;
            assert_eq!(state(site, id).await, (DraftState::Comparing, None), "after attempt {attempt}");
            clock.break_at(u64::MAX);
            site.tend_drafts().await.unwrap();
            assert_eq!(state(site, id).await.0, DraftState::Comparing, "its lease has not run out");
            site.pass(TimeDelta::seconds(16));
            clock.break_at(clock.count() + 1);
            site.tend_drafts().await.unwrap();
        }
        let (given_up, why) = state(site, id).await;
        let why = why.unwrap();
        assert_eq!((given_up, why.contains("again and again")), (DraftState::Interrupted, true), "{why}");
        clock.break_at(u64::MAX);
        site.rebase_draft(id, None).await.unwrap();
        site.finish_draft(id).await;
        assert_eq!(created(site, id).await, (3, 3));
        assert_eq!(apply(site, id).await, DraftState::Applied);
    });
}

#[test]
fn a_draft_left_while_it_was_being_applied_is_ready_again() {
    on_each(async |site: &Site| {
        let id = left_in(site, DraftState::Applying, 1).await;
        let other = site.another_process().await;
        other.tend_drafts().await.unwrap();
        let message = "the server stopped while the draft was being applied; nothing was applied, so do it again";
        assert_eq!(state(site, id).await, (DraftState::Ready, Some(message.into())));
        assert_eq!(other.version(), 1);
        assert_eq!(apply(&other, id).await, DraftState::Applied);
        assert_eq!(state(site, id).await, (DraftState::Applied, None));
        site.refresh().await.unwrap();
    });
}

#[test]
fn a_draft_whose_file_arrived_only_in_part_asks_for_it_again() {
    on_each(async |site: &Site| {
        let id = left_in(site, DraftState::Comparing, 1).await;
        let transaction = site.database().begin_side_write().await.unwrap();
        import_draft_chunk::Entity::delete_by_id((id, 0)).exec(&transaction).await.unwrap();
        site.database().commit(transaction).await.unwrap();
        let other = site.another_process().await;
        other.tend_drafts().await.unwrap();
        other.finish_draft(id).await;
        let message = "the file did not arrive as a whole; send it again";
        assert_eq!(state(site, id).await, (DraftState::Interrupted, Some(message.into())));
        let again = create(site, 3).await;
        assert_ne!(again, id, "the same request, of which nothing is left but its draft");
        site.finish_draft(again).await;
        assert_eq!(apply(site, again).await, DraftState::Applied);
    });
}

#[test]
fn a_process_whose_comparison_was_taken_over_writes_nothing_more() {
    on_each(async |site: &Site| {
        let id = create(site, MANY).await;
        let [worker, lease] = left_by_another();
        assert!(set(site, DraftState::Comparing, &[worker]).await, "it is still being compared");
        let taken = site.draft(id).await.unwrap();
        let transaction = site.database().begin_side_write().await.unwrap();
        import_draft_change::Entity::delete_many().exec(&transaction).await.unwrap();
        let found = import_draft_change::Model { draft_id: id, position: 0, kind: "x".into(), change: "{}".into() };
        import_draft_change::Entity::insert(found.into_active_model()).exec(&transaction).await.unwrap();
        site.database().commit(transaction).await.unwrap();
        site.finish_draft(id).await;
        assert_eq!(site.draft(id).await.unwrap().row, taken.row);
        assert_eq!(created(site, id).await, (0, 1), "what the other one has found is still there");

        assert!(set(site, DraftState::Comparing, &[lease]).await);
        let other = site.another_process().await;
        other.tend_drafts().await.unwrap();
        other.finish_draft(id).await;
        assert_eq!(state(site, id).await, (DraftState::Ready, None));
        assert_eq!(created(site, id).await, (MANY as u64, MANY as u64));
    });
}

/// On SQLite nobody can take a draft over while another process writes.
#[test]
fn a_process_that_waits_to_apply_keeps_its_lease_and_one_that_lost_it_applies_nothing() {
    on_each(async |site: &Site| {
        if site.database().backend() != DbBackend::Postgres {
            return;
        }
        let id = create(site, 3).await;
        site.finish_draft(id).await;
        let other = site.another_process().await;
        for is_lost in [true, false] {
            let writer = other.database().begin_write().await.unwrap();
            let (directory, actor) = (Directory::clone(site), me());
            let applied = tokio::spawn(async move { directory.apply_draft(&actor, id, ApplyOptions::default()).await });
            while !set(site, DraftState::Applying, &left_by_another()[1..]).await {
                tokio::task::yield_now().await;
            }
            if is_lost {
                while set(site, DraftState::Applying, &left_by_another()[1..]).await {
                    other.tend_drafts().await.unwrap();
                }
                assert_eq!(state(site, id).await.0, DraftState::Ready);
            } else {
                while site.draft(id).await.unwrap().row.leased_until == Some(DateTime::<Utc>::UNIX_EPOCH) {
                    tokio::task::yield_now().await;
                }
                other.tend_drafts().await.unwrap();
                assert_eq!(state(site, id).await, (DraftState::Applying, None));
            }
            writer.rollback().await.unwrap();
            assert_eq!(applied.await.unwrap().is_err(), is_lost);
            let version = if is_lost { 1 } else { 2 };
            assert_eq!((site.version(), state(site, id).await.0 == DraftState::Applied), (version, !is_lost));
        }
    });
}
