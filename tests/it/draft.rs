//! Import drafts: what a draft says before anything changes is what applying it does, or it is refused.

use std::collections::BTreeSet;
use std::time::Duration;

use entity::ImportDraftId;
use entity::attribute::AttributeType;
use entity::import_draft::{DraftState, ImportKind};
use entity::integration::IntegrationKind;
use roster::directory::csv::{ColumnSource, ImportMode, ImportOptions, Mapping, RowChange};
use roster::directory::{
    ApplyOptions, Directory, Draft, Error, Mover, NewAttribute, NewDraft, Range, SyncMode, UserChange,
};
use roster::value::GlobalId;
use serde_json::json;

use crate::support::{
    Server, Site, account, attribute, export, file, filter, integration, me, on_both, on_each, unit, user,
};

fn new(content: impl AsRef<[u8]>, options: ImportOptions) -> NewDraft {
    new_of(ImportKind::Users, content, options)
}

pub(crate) fn new_of(kind: ImportKind, content: impl AsRef<[u8]>, options: ImportOptions) -> NewDraft {
    let file = file(content);
    NewDraft { file, kind, file_name: "users.csv".into(), options, client_mutation_id: None, mapping: None }
}

/// A draft of `content` that has been compared.
pub(crate) async fn draft(directory: &Directory, content: impl AsRef<[u8]>, options: ImportOptions) -> Draft {
    let id = directory.create_draft(&me(), new(content, options)).await.unwrap();
    compared(directory, id).await
}

pub(crate) async fn compared(directory: &Directory, id: ImportDraftId) -> Draft {
    directory.finish_draft(id).await;
    let draft = directory.draft(id).await.unwrap();
    assert_eq!((draft.row.state, draft.row.message.as_deref()), (DraftState::Ready, None));
    draft
}

pub(crate) async fn changes(directory: &Directory, draft: &Draft) -> Vec<RowChange> {
    let range = Range { limit: 100, ..Range::default() };
    let page = directory.list_draft_changes(draft.row.id, None, range).await.unwrap();
    assert!(!page.has_next);
    page.rows.into_iter().map(|(_, change)| change).collect()
}

/// A change as one line: where, what, who, and each column before and after.
fn spell(change: &RowChange) -> String {
    let line = change.line.map_or("-".to_owned(), |line| line.to_string());
    let cells = change.cells.iter().map(|cell| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        format!(" {}: {} -> {}", cell.column, text(&cell.before), text(&cell.after))
    });
    let notes = change.notes.iter().map(|note| format!(" ({note})"));
    format!("{line} {:?} {}{}", change.kind, change.detail, cells.chain(notes).collect::<Vec<_>>().join(";"))
}

pub(crate) async fn spelled(directory: &Directory, draft: &Draft) -> Vec<String> {
    changes(directory, draft).await.iter().map(spell).collect()
}

pub(crate) async fn apply(directory: &Directory, draft: &Draft) -> Result<Draft, Error> {
    directory.apply_draft(&me(), draft.row.id, ApplyOptions::default()).await
}

/// Three users, two of them of a department that an org unit has, and an account that nobody has.
async fn acme(site: &Site) {
    attribute(site, "Department", AttributeType::Text, &[]).await;
    attribute(site, "Supervisor", AttributeType::User, &[]).await;
    user(site, "Ann", "ann@corp.example", json!({ "department": "Platform" })).await;
    user(site, "Bob", "bob@corp.example", json!({ "department": "Platform" })).await;
    user(site, "Cy", "cy@corp.example", json!({ "department": "Data" })).await;
    let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
    let accounts = vec![account("g1", "octo", "octo@home.example")];
    site.sync_accounts(&me(), github, accounts, SyncMode::Delta).await.unwrap();
    let platform = filter(json!({ "attribute": { "key": "department", "is": { "equals": "Platform" } } }));
    unit(site, "Platform", None, Some(platform)).await;
}

const FILE: &str = "Name,Email,Department,Supervisor,GitHub\n\
                    Ann,ann@corp.example,Data,,octo\n\
                    Bob,bob@corp.example,Platform,,\n\
                    Di,di@corp.example,platform,ann@corp.example,unseen\n";

#[test]
fn a_draft_says_what_each_row_changes_and_does_that() {
    on_both(async |site: &Site| {
        acme(site).await;
        let before = (site.version(), export(site).await);
        let draft = draft(site, FILE, ImportOptions::default()).await;
        assert_eq!((site.version(), export(site).await), before, "a draft changes nothing");
        assert_eq!(
            spelled(site, &draft).await,
            [
                "2 Updated ann@corp.example Further emails:  -> octo@home.example; Department: Platform -> Data; \
                 GitHub:  -> octo; (the account `octo` comes from octo@home.example); \
                 (octo@home.example becomes part of this user)",
                "4 Created di@corp.example Name:  -> Di; Email:  -> di@corp.example; Department:  -> platform; \
                 Supervisor:  -> ann@corp.example; GitHub:  -> unseen",
                "- Absorbed octo@home.example Name: octo -> ; Email: octo@home.example -> ",
            ]
        );
        let report = draft.report.clone().unwrap();
        assert_eq!([report.rows, report.created, report.updated, report.unchanged, report.absorbed], [3, 1, 1, 1, 1]);
        assert_eq!([report.accounts_moved, report.accounts_claimed, report.errors, report.warnings], [1, 1, 0, 1]);
        let [platform] = report.impact.as_slice() else { panic!("{:?}", report.impact) };
        let emails = |movers: &[Mover]| movers.iter().map(|mover| mover.email.clone()).collect::<Vec<_>>();
        assert_eq!((platform.before, platform.after), (Some(2), Some(2)), "one goes, one comes");
        assert_eq!((platform.joined_count, platform.left_count), (1, 1));
        assert_eq!(emails(&platform.joined), ["di@corp.example"]);
        assert_eq!(emails(&platform.left), ["ann@corp.example"]);
        let warnings = site.list_draft_problems(draft.row.id, false, Range { limit: 9, ..Range::default() });
        let warnings: Vec<String> = warnings
            .await
            .unwrap()
            .rows
            .iter()
            .map(|(_, problem)| format!("{} {}", problem.line, problem.code))
            .collect();
        assert_eq!(warnings, ["4 OTHER_SPELLING"]);

        let applied = apply(site, &draft).await.unwrap();
        assert_eq!((applied.row.state, applied.row.applied_version), (DraftState::Applied, Some(before.0 + 1)));
        let again = apply(site, &draft).await.unwrap();
        assert_eq!((again.row.applied_version, site.version()), (Some(before.0 + 1), before.0 + 1));
        let same = self::draft(site, FILE, ImportOptions::default()).await;
        assert_eq!(spelled(site, &same).await, [""; 0], "the same file again changes nothing");
        assert_eq!(apply(site, &same).await.unwrap().row.applied_version, Some(before.0 + 1));
    });
}

#[test]
fn a_draft_that_would_do_something_else_by_now_is_refused_until_it_is_rebased() {
    on_both(async |site: &Site| {
        acme(site).await;
        let draft = draft(site, FILE, ImportOptions::default()).await;
        let cy = site.find_user("cy@corp.example").unwrap();
        let renamed = UserChange { name: Some("Cyd".into()), ..UserChange::default() };
        site.update_user(&me(), cy, renamed).await.unwrap();
        let bob = site.find_user("bob@corp.example").unwrap();
        let moved = UserChange { attributes: vec![("department".into(), json!("Data"))], ..UserChange::default() };
        site.update_user(&me(), bob, moved).await.unwrap();
        let version = site.version();
        let Err(Error::Moved { base, actual, count, moved, .. }) = apply(site, &draft).await else {
            panic!("bob's row would change something now")
        };
        let moved: Vec<_> =
            moved.iter().map(|moved| (moved.line, moved.detail.as_str(), moved.message.as_str())).collect();
        assert_eq!((base, actual, count), (version - 2, version, 1));
        assert_eq!(moved, [(Some(3), "bob@corp.example", "would change, and did not before")]);
        assert_eq!(site.version(), version, "nothing was applied");
        let told = site.draft(draft.row.id).await.unwrap();
        assert_eq!((told.row.state, told.report.unwrap().moved.len()), (DraftState::Ready, 1));
        site.rebase_draft(draft.row.id, None).await.unwrap();
        let draft = compared(site, draft.row.id).await;
        assert_eq!(spelled(site, &draft).await[1], "3 Updated bob@corp.example Department: Data -> Platform");
        apply(site, &draft).await.unwrap();
        assert_eq!(site.version(), version + 1);
    });
}

#[test]
fn a_draft_is_applied_where_the_directory_moved_elsewhere() {
    on_both(async |site: &Site| {
        acme(site).await;
        let draft = draft(site, FILE, ImportOptions::default()).await;
        user(site, "Ed", "ed@corp.example", json!({})).await;
        let version = site.version();
        assert_eq!(apply(site, &draft).await.unwrap().row.applied_version, Some(version + 1));
    });
}

#[test]
fn rows_that_cannot_be_imported_can_be_left_out_with_those_that_lean_on_them() {
    on_both(async |site: &Site| {
        acme(site).await;
        let rows = "Name,Email,Department,Supervisor\n\
                    Ann,ann@corp.example,Data,\n\
                    ,di@corp.example,Data,\n\
                    Ed,ed@corp.example,Data,di@corp.example\n\
                    Fay,fay@corp.example,Data,ed@corp.example\n\
                    Gus,gus@corp.example,Data,ann@corp.example\n";
        let options = ImportOptions { mode: ImportMode::Replace, ..ImportOptions::default() };
        let draft = draft(site, rows, options).await;
        let report = draft.report.clone().unwrap();
        assert_eq!([report.errors, report.bad_rows, report.created, report.updated, report.removed], [3, 3, 1, 1, 3]);
        let errors =
            site.list_draft_problems(draft.row.id, true, Range { limit: 9, ..Range::default() }).await.unwrap();
        let errors: Vec<String> =
            errors.rows.iter().map(|(_, problem)| format!("{} {}", problem.line, problem.code)).collect();
        assert_eq!(errors, ["3 REQUIRED", "4 UNKNOWN_USER", "5 UNKNOWN_USER"]);
        let Err(Error::Invalid(violations)) = apply(site, &draft).await else { panic!("three rows are wrong") };
        assert_eq!(violations[0].code, "HAS_ERRORS");
        let valid_rows = ApplyOptions { valid_rows: true, confirm_removals: None };
        let Err(Error::Invalid(violations)) = site.apply_draft(&me(), draft.row.id, valid_rows).await else {
            panic!("three of four users would go")
        };
        assert_eq!(violations[0].code, "REMOVALS_NOT_CONFIRMED");
        let confirmed = ApplyOptions { valid_rows: true, confirm_removals: Some(3) };
        site.apply_draft(&me(), draft.row.id, confirmed).await.unwrap();
        let emails: Vec<String> =
            export(site).await.lines().skip(1).map(|row| row.split(',').nth(2).unwrap().to_owned()).collect();
        assert_eq!(emails, ["ann@corp.example", "gus@corp.example"]);
    });
}

#[test]
fn a_user_whose_row_is_left_out_keeps_its_email_from_others() {
    on_both(async |site: &Site| {
        acme(site).await;
        let id = |email: &str| site.find_user(email).unwrap().to_global();
        let (ann, bob) = (id("ann@corp.example"), id("bob@corp.example"));
        let rows = format!(
            "ID,Name,Email,Supervisor\n{bob},Bob,ann@corp.example,\n{ann},Ann,ann@home.example,nobody@corp.example\n\
             ,Cy,cy@corp.example,\n,Octo,octo@home.example,\n"
        );
        let options = ImportOptions { mode: ImportMode::Replace, ..ImportOptions::default() };
        let draft = draft(site, rows, options).await;
        let errors =
            site.list_draft_problems(draft.row.id, true, Range { limit: 9, ..Range::default() }).await.unwrap();
        let errors: Vec<String> =
            errors.rows.iter().map(|(_, problem)| format!("{} {}", problem.line, problem.code)).collect();
        assert_eq!(errors, ["2 EMAIL_TAKEN", "3 UNKNOWN_USER"]);
        let valid_rows = ApplyOptions { valid_rows: true, confirm_removals: None };
        site.apply_draft(&me(), draft.row.id, valid_rows).await.unwrap();
        assert_eq!((id("ann@corp.example"), id("bob@corp.example")), (ann, bob));
    });
}

#[test]
fn columns_are_mapped_joined_remembered_and_become_attributes() {
    on_both(async |site: &Site| {
        acme(site).await;
        let name = || ColumnSource::Attribute { key: "name".into(), date_format: None };
        let email = ColumnSource::Attribute { key: "email".into(), date_format: None };
        let columns = vec![
            ("Last".into(), name()),
            ("First".into(), name()),
            ("Mail".into(), email),
            ("Junk".into(), ColumnSource::Ignore),
        ];
        let level = NewAttribute {
            title: "Level".into(),
            key: None,
            r#type: AttributeType::Number,
            description: String::new(),
            options: Vec::new(),
            is_required: false,
            is_unique: false,
            readable_by: None,
            position: None,
        };
        let options = ImportOptions {
            mapping: Mapping { columns, ..Mapping::default() },
            new_attributes: vec![("grade".into(), level)],
            ..ImportOptions::default()
        };
        let rows = "First,Last,Mail,Grade,Junk\nAnn,Lee,ann@corp.example,7,x\n,Day,di@corp.example,,\n";
        let first = NewDraft { mapping: Some("HR file".into()), ..new(rows, options) };
        let id = site.create_draft(&me(), first).await.unwrap();
        let draft = compared(site, id).await;
        assert_eq!(
            spelled(site, &draft).await,
            [
                "2 Updated ann@corp.example Name: Ann -> Lee Ann; Level:  -> 7",
                "3 Created di@corp.example Name:  -> Day; Email:  -> di@corp.example",
            ]
        );
        apply(site, &draft).await.unwrap();
        assert_eq!(site.attribute("level").unwrap().r#type, AttributeType::Number);

        let rows = "Mail,First,Last,Level\ndi@corp.example,Di,Day,8\n";
        let next = NewDraft { mapping: Some("hr FILE".into()), ..new(rows, ImportOptions::default()) };
        let id = site.create_draft(&me(), next).await.unwrap();
        let draft = compared(site, id).await;
        assert_eq!(spelled(site, &draft).await, ["2 Updated di@corp.example Name: Day -> Day Di; Level:  -> 8"]);
        let unknown = NewDraft { mapping: Some("HR fiel".into()), ..new(rows, ImportOptions::default()) };
        let Err(Error::NotFound { hint, .. }) = site.create_draft(&me(), unknown).await else { panic!("no such name") };
        assert_eq!(hint, "; did you mean `HR file`?");
    });
}

#[test]
fn the_same_request_gives_the_same_draft() {
    on_both(async |site: &Site| {
        acme(site).await;
        let request = |content: &str| NewDraft {
            client_mutation_id: Some("r1".into()),
            ..new(content, ImportOptions::default())
        };
        let id = site.create_draft(&me(), request(FILE)).await.unwrap();
        let actor = me();
        let again: Vec<_> = (0..5).map(|_| site.create_draft(&actor, request(FILE))).collect();
        for again in futures_util::future::join_all(again).await {
            assert_eq!(again.unwrap(), id);
        }
        let Err(Error::Invalid(violations)) = site.create_draft(&me(), request("Name,Email\n")).await else {
            panic!("another file")
        };
        assert_eq!(violations[0].code, "IDEMPOTENCY_MISMATCH");
        assert_eq!(site.list_drafts().await.unwrap().len(), 1);
    });
}

#[test]
fn of_many_same_requests_at_once_in_two_processes_one_makes_the_draft() {
    on_each(async |site: &Site| {
        acme(site).await;
        let other = site.another_process().await;
        let actor = me();
        for round in 0..5 {
            let request =
                || NewDraft { client_mutation_id: Some(format!("r{round}")), ..new(FILE, ImportOptions::default()) };
            let all = (0..20).map(|n| if n % 2 == 0 { site } else { &other }.create_draft(&actor, request()));
            let made: Result<BTreeSet<_>, Error> = futures_util::future::join_all(all).await.into_iter().collect();
            assert_eq!(made.unwrap().len(), 1);
            assert_eq!(site.list_drafts().await.unwrap().len(), round + 1);
        }
        other.database().clone().close().await.unwrap();
    });
}

#[test]
fn a_draft_whose_application_outlasts_the_deadline_comes_back_as_it_is_by_then() {
    on_each(async |site: &Site| {
        acme(site).await;
        let drafted = draft(site, FILE, ImportOptions::default()).await;
        let server = Server::with(site, &["--deadline", "2s"]);
        let apply = "mutation($id: ID!) { applyImportDraft(input: { id: $id }) { draft { state } } }";
        let long_write = site.database().begin_write().await.unwrap();
        let reply = server.execute(apply, json!({ "id": drafted.row.id.to_global() }), None).await;
        if site.url().starts_with("sqlite:") {
            // There, not even the draft's state can be written while another writes.
            assert_eq!(reply.status, http::StatusCode::GATEWAY_TIMEOUT);
            assert!(reply.body.contains("it goes on, and may still be done"), "{}", reply.body);
        } else {
            assert_eq!(reply.json(), json!({ "data": { "applyImportDraft": { "draft": { "state": "APPLYING" } } } }));
        }
        long_write.rollback().await.unwrap();
        while site.draft(drafted.row.id).await.unwrap().row.state != DraftState::Applied {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

#[test]
fn a_cancelled_draft_is_done_with() {
    on_both(async |site: &Site| {
        acme(site).await;
        let draft = draft(site, FILE, ImportOptions::default()).await;
        site.cancel_draft(draft.row.id).await.unwrap();
        site.cancel_draft(draft.row.id).await.unwrap();
        assert_eq!(site.draft(draft.row.id).await.unwrap().row.state, DraftState::Cancelled);
        assert_eq!(spelled(site, &draft).await, [""; 0]);
        for refused in [apply(site, &draft).await.map(|_| ()), site.rebase_draft(draft.row.id, None).await] {
            let Err(Error::Invalid(violations)) = refused else { panic!("the draft is given up") };
            assert_eq!(violations[0].code, "WRONG_STATE");
        }
    });
}

#[test]
fn a_file_that_cannot_be_read_makes_a_draft_that_says_so() {
    on_both(async |site: &Site| {
        acme(site).await;
        let rows = "Name,Email\nEd,ed@corp.example\nAnn,ann\nAnn,\"ann@corp.example\n";
        let options = || ImportOptions { mode: ImportMode::Replace, ..ImportOptions::default() };
        let draft = draft(site, rows, options()).await;
        let report = draft.report.clone().unwrap();
        assert!(report.is_refused);
        // What stands before the quote is not what the file says.
        let counts = [report.rows, report.created, report.updated, report.unchanged, report.removed, report.absorbed];
        assert_eq!((counts, report.removals_to_confirm, report.impact.len()), ([0; 6], None, 0));
        assert_eq!((spelled(site, &draft).await, report.errors), (vec![], 2));
        let tried =
            site.import_users(&me(), file(rows), ImportOptions { valid_rows: true, ..options() }).await.unwrap();
        assert_eq!([tried.applied, tried.is_refused], [false, true]);
        assert_eq!([tried.rows, tried.created, tried.removed, tried.errors.count], [0, 0, 0, 2]);
        let Err(Error::Invalid(violations)) = apply(site, &draft).await else { panic!("a quote is not closed") };
        assert_eq!(violations[0].code, "HAS_ERRORS");
        let valid_rows = ApplyOptions { valid_rows: true, confirm_removals: None };
        assert!(site.apply_draft(&me(), draft.row.id, valid_rows).await.is_err());
    });
}

#[test]
fn rows_that_cannot_be_imported_are_given_back_to_be_mended() {
    on_both(async |site: &Site| {
        acme(site).await;
        let rows = "Name,Email,Department\n\"=Di, the 2nd\",di@corp,Data\nEd,ed@corp.example,Data\n,,\"'t\"\n";
        let rows = rows.replace("di@corp,", "di,");
        let draft = draft(site, &rows, ImportOptions::default()).await;
        let server = Server::new(site);
        let path = format!("/export/import-errors.csv?draft={}", draft.row.id.to_global());
        let reply = server.send(http::Request::get(&path).body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!((reply.status, &reply.headers["roster-row-count"]), (http::StatusCode::OK, &"2".parse().unwrap()));
        let lines: Vec<&str> = reply.body.lines().collect();
        assert_eq!(lines[0], "\"Name\",\"Email\",\"Department\",\"Error line\",\"Errors\"");
        assert!(lines[1].starts_with("\"'=Di, the 2nd\",di,Data,2,"), "{}", lines[1]);
        assert!(lines[1].contains("(NOT_AN_EMAIL)"), "{}", lines[1]);
        assert!(lines[2].starts_with(",,'t,4,"), "{}", lines[2]);
        let valid_rows = ApplyOptions { valid_rows: true, confirm_removals: None };
        site.apply_draft(&me(), draft.row.id, valid_rows).await.unwrap();
        let again = server.send(http::Request::get(&path).body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(again.body, reply.body, "they can still be fetched");
        let mended = format!("{}\n{}\n", lines[0], lines[1].replace(",di,", ",di@corp.example,"));
        let mended = self::draft(site, mended, ImportOptions::default()).await;
        assert_eq!(
            spelled(site, &mended).await,
            ["2 Created di@corp.example Name:  -> =Di, the 2nd; Email:  -> di@corp.example; Department:  -> Data"]
        );
        let unknown =
            server.send(http::Request::get("/export/import-errors.csv").body(axum::body::Body::empty()).unwrap());
        assert_eq!(unknown.await.status, http::StatusCode::BAD_REQUEST);
    });
}

const DRAFT: &str =
    "id kind state fileName fileBytes message baseVersion appliedVersion encoding delimiter rows created updated
    unchanged removed absorbed accountsMoved accountsClaimed accountsUnlinked badRows isRefused removalsToConfirm
    progress { rowsDone rowsTotal percent } columns { header holds } moved { line }
    impact { totalCount edges { node { path orgUnit { name } membersBefore membersAfter
        joinedCount leftCount joined { email user { name } } left { email user { name } } } } }
    changes(first: 2) { totalCount pageInfo { hasNextPage endCursor } edges { node {
        line kind name email path user { email } orgUnit { id } cells { column before after } notes } } }
    absorbedOnly: changes(kind: ABSORBED) { totalCount edges { node { email } } }
    errors { totalCount } warnings { totalCount edges { node { line column code value } } }";

#[test]
fn a_draft_is_made_looked_at_followed_and_applied_over_graphql() {
    let told = on_both(async |site: &Site| {
        acme(site).await;
        let server = Server::new(site);
        let data = |reply: &str| {
            let mut reply: serde_json::Value = serde_json::from_str(reply).unwrap();
            assert_eq!(reply.get("errors"), None, "{reply}");
            reply["data"].take()
        };
        let create = "mutation($file: Upload!) { createImportDraft(input: { file: $file, clientMutationId: \"one\",
            options: { mode: REPLACE } }) { clientMutationId draft { id } } }";
        let made = data(&server.execute(create, json!({}), Some(FILE)).await.body);
        assert_eq!(made["createImportDraft"]["clientMutationId"], "one");
        let id = made["createImportDraft"]["draft"]["id"].as_str().unwrap().to_owned();
        let follow = "subscription($id: ID!) { importDraft(id: $id) { state progress { percent } } }";
        let mut events = server.subscribe(follow, json!({ "id": id })).await;
        let mut last = json!(null);
        while let Some(event) = events.next().await {
            last = event["data"]["importDraft"].clone();
        }
        assert_eq!(last, json!({ "state": "READY", "progress": { "percent": 100 } }));
        let query = format!("query($id: ID!) {{ importDraft(id: $id) {{ {DRAFT} }} }}");
        let looked = data(&server.execute(&query, json!({ "id": id }), None).await.body)["importDraft"].take();
        let apply =
            "mutation($id: ID!, $removals: Int) { applyImportDraft(input: { id: $id, confirmRemovals: $removals }) {
            draft { state appliedVersion } } }";
        let refused: serde_json::Value =
            serde_json::from_str(&server.execute(apply, json!({ "id": id }), None).await.body).unwrap();
        assert_eq!(refused["errors"][0]["extensions"]["violations"][0]["code"], "REMOVALS_NOT_CONFIRMED");
        let removals = looked["removalsToConfirm"].clone();
        let applied = data(&server.execute(apply, json!({ "id": id, "removals": removals }), None).await.body);
        let listed =
            data(&server.execute("{ importDrafts { id state } columnMappings { name } }", json!({}), None).await.body);
        assert_eq!(listed, json!({ "importDrafts": [{ "id": id, "state": "APPLIED" }], "columnMappings": [] }));
        (looked.to_string(), applied.to_string())
    });
    insta::assert_json_snapshot!(serde_json::from_str::<serde_json::Value>(&told.0).unwrap());
    let applied: serde_json::Value = serde_json::from_str(&told.1).unwrap();
    assert_eq!(applied["applyImportDraft"]["draft"]["state"], "APPLIED");
}
