//! Drafts of files of org units: what a draft says of units and their members is what applying it does, or it is refused.

use std::collections::BTreeMap;

use entity::attribute::AttributeType;
use entity::import_draft::{Column, DraftState, ImportKind};
use proptest::prelude::*;
use roster::directory::csv::{
    ChangeKind, ColumnSource, Encoding, ImportMode, ImportOptions, Mapping, OrgUnitColumn, Style,
};
use roster::directory::{
    ApplyOptions, Directory, Draft, DraftReport, Error, NewAttribute, NewDraft, OrgUnitChange, Range, UndoOptions,
};
use roster::value::GlobalId;
use sea_orm::sea_query::Expr;
use serde_json::json;

use crate::draft::{apply, changes, compared, new_of, spelled};
use crate::draft_jobs::{left_by_another, set};
use crate::support::{Server, Site, filter, me, on_both, on_each, tables, unit, user, violations};
use crate::unit_csv::{Drawn, NAMES, at, company, edits, export, with_ids};

fn new(content: &str, options: ImportOptions) -> NewDraft {
    new_of(ImportKind::OrgUnits, content, options)
}

/// A draft of `content` that has been compared; ids of units stand there as their paths in braces.
async fn draft(site: &Site, content: &str, options: ImportOptions) -> Draft {
    let id = site.create_draft(&me(), new(&with_ids(site, content), options)).await.unwrap();
    compared(site, id).await
}

fn replace() -> ImportOptions {
    ImportOptions { mode: ImportMode::Replace, ..ImportOptions::default() }
}

/// Problems of a draft: line, column and code.
async fn problems(site: &Site, draft: &Draft, is_error: bool) -> Vec<String> {
    let page =
        site.list_draft_problems(draft.row.id, is_error, Range { limit: 100, ..Range::default() }).await.unwrap();
    let spell = |(_, problem): &(i64, roster::directory::csv::Problem)| {
        format!("{} {}: {}", problem.line, problem.column.as_deref().unwrap_or("-"), problem.code)
    };
    page.rows.iter().map(spell).collect()
}

/// The units whose members would change: path, members before and after.
fn impact(report: &DraftReport) -> Vec<String> {
    let count = |count: Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
    let spell = |unit: &roster::directory::Impact| {
        assert_eq!(unit.org_unit.is_some(), unit.before.is_some(), "a unit that is to be made has no id yet");
        format!("{}: {} -> {}", unit.path, count(unit.before), count(unit.after))
    };
    report.impact.iter().map(spell).collect()
}

async fn apply_with(site: &Site, draft: &Draft, options: ApplyOptions) -> Result<Draft, Error> {
    site.apply_draft(&me(), draft.row.id, options).await
}

const EDITED: &str = "ID,Path,Scope,Filter,Pinned\n\
                      {Company},Firm,ALL,,\n\
                      {Company/Engineering},Firm/Engineering,ALL,\"department in [\"\"Platform\"\", \"\"Sales\"\"]\",\n\
                      {Company/Engineering/Platform},Firm/Platform,ALL,\"memberOf \"\"Firm/New\"\"\",ann@corp.example\n\
                      ,Firm/New,ALL,everybody,\n\
                      {Guests},Guests,ALL,,\n";

#[test]
fn a_draft_of_org_units_says_what_each_row_changes_and_does_that() {
    on_both(async |site: &Site| {
        company(site).await;
        let before = (site.version(), tables(site).await, export(site).await);
        let draft = draft(site, EDITED, replace()).await;
        assert_eq!((site.version(), export(site).await), (before.0, before.2.clone()), "a draft changes nothing");
        assert_eq!(
            spelled(site, &draft).await,
            [
                "2 Updated Firm Name: Company -> Firm",
                "3 Updated Firm/Engineering Filter: department eq \"Platform\" -> department in [\"Platform\", \"Sales\"]",
                "4 Updated Firm/Platform Scope: PARENT -> ALL; Filter:  -> memberOf \"Firm/New\"; \
                 Pinned:  -> ann@corp.example; Parent: Company/Engineering -> Firm",
                "5 Created Firm/New Name:  -> New; Scope:  -> ALL; Filter:  -> everybody; Parent:  -> Firm",
                "- Removed Company/Sales Name: Sales -> ; Scope: ALL -> ; Parent: Company -> ",
            ]
        );
        let report = draft.report.clone().unwrap();
        assert_eq!([report.rows, report.created, report.updated, report.unchanged, report.removed], [5, 1, 3, 1, 1]);
        assert_eq!((report.errors, report.warnings, report.removals_to_confirm), (0, 0, Some(1)));
        let columns: Vec<&str> = report.columns.iter().map(|(_, holds)| holds.as_str()).collect();
        assert_eq!(columns, ["ID", "Path", "Scope", "Filter", "Pinned"]);
        assert_eq!(
            impact(&report),
            ["Company/Sales: 0 -> -", "Firm/Engineering: 2 -> 3", "Firm/New: - -> 3", "Firm/Platform: 0 -> 3"]
        );

        let refused = apply(site, &draft).await.unwrap_err();
        assert_eq!(violations(&refused), ["confirmRemovals: REMOVALS_NOT_CONFIRMED"]);
        assert!(refused.to_string().contains("1 org units would be removed"), "{refused}");
        let confirmed = ApplyOptions { confirm_removals: Some(1), ..ApplyOptions::default() };
        let applied = apply_with(site, &draft, confirmed).await.unwrap();
        assert_eq!((applied.row.state, applied.row.applied_version), (DraftState::Applied, Some(before.0 + 1)));
        let again = apply(site, &applied).await.unwrap();
        assert_eq!((again.row.applied_version, site.version()), (Some(before.0 + 1), before.0 + 1));
        let members = |path| site.members(at(site, path)).unwrap().len();
        assert_eq!([members("Firm/Engineering"), members("Firm/New"), members("Firm/Platform")], [3, 3, 3]);

        let number = before.0 + 1;
        let undone = site.undo_changeset(&me(), UndoOptions { number, ..UndoOptions::default() }).await.unwrap();
        assert_eq!(undone.blocked.len(), 0);
        assert_eq!(export(site).await, before.2, "applied and undone, the export is the same to the byte");
    });
}

#[test]
fn the_draft_of_an_export_of_org_units_changes_nothing() {
    on_both(async |site: &Site| {
        company(site).await;
        let draft = draft(site, &export(site).await, replace()).await;
        assert_eq!(spelled(site, &draft).await, [""; 0]);
        assert_eq!(impact(draft.report.as_ref().unwrap()), [""; 0]);
        let version = site.version();
        assert_eq!(apply(site, &draft).await.unwrap().row.applied_version, Some(version));
    });
}

#[test]
fn a_draft_of_org_units_that_would_do_something_else_by_now_is_refused_until_it_is_rebased() {
    on_both(async |site: &Site| {
        company(site).await;
        let options = ApplyOptions { confirm_removals: Some(1), ..ApplyOptions::default() };
        let draft = draft(site, EDITED, replace()).await;
        // Elsewhere: a user comes. The unit that the file makes gets another id in each comparison, and that is no
        // difference either.
        user(site, "Di", "di@corp.example", json!({ "department": "Sales" })).await;
        let change = OrgUnitChange { description: Some("they come and go".into()), ..OrgUnitChange::default() };
        site.update_org_unit(&me(), at(site, "Guests"), change).await.unwrap();
        unit(site, "Below", Some(at(site, "Company/Sales")), None).await;
        let version = site.version();
        let Err(Error::Moved { base, actual, count, moved, .. }) = apply_with(site, &draft, options).await else {
            panic!("a unit would go that the draft does not know")
        };
        let moved: Vec<_> =
            moved.iter().map(|moved| (moved.line, moved.detail.as_str(), moved.message.as_str())).collect();
        assert_eq!((base, actual, count), (version - 3, version, 1));
        assert_eq!(moved, [(None, "Company/Sales/Below", "would change, and did not before")]);
        assert_eq!(site.version(), version, "nothing was applied");
        site.rebase_draft(draft.row.id, None).await.unwrap();
        let draft = compared(site, draft.row.id).await;
        assert_eq!(draft.report.as_ref().unwrap().removed, 2);
        let options = ApplyOptions { confirm_removals: Some(2), ..options };
        user(site, "Ed", "ed@corp.example", json!({})).await;
        let applied = apply_with(site, &draft, options).await.unwrap();
        assert_eq!(applied.row.applied_version, Some(version + 2), "nothing that matters has moved");
    });
}

#[test]
fn rows_of_org_units_that_cannot_be_imported_can_be_left_out_with_those_that_lean_on_them() {
    on_both(async |site: &Site| {
        company(site).await;
        // A new tree of twenty levels, whose root has a scope that there is not.
        let deep: String = (1..=20).map(|depth| format!(",{},,\n", vec!["D"; depth].join("/"))).collect();
        let rows = format!(
            "ID,Path,Scope,Filter\n{}\
             {{Company}},Company,ALL,\n\
             {{Company/Engineering}},Company/Tech,ALL,departement eq 1\n\
             {{Company/Engineering/Platform}},Company/Tech/Platform,ALL,\n\
             {{Guests}},Guests,ALL,\"memberOf \"\"D/D/D\"\"\"\n\
             ,Company/New,,\"memberOf \"\"Company/Engineering\"\"\"\n",
            deep.replacen(",D,,", ",D,SOME,", 1)
        );
        let draft = draft(site, &rows, replace()).await;
        let report = draft.report.clone().unwrap();
        let mut expected = vec!["2 Scope: NOT_A_SCOPE".to_owned()];
        expected.extend((3..=21).map(|line| format!("{line} Path: UNKNOWN_PARENT")));
        expected.extend(
            ["23 Filter: UNKNOWN_ATTRIBUTE", "24 Path: UNKNOWN_PARENT", "25 Filter: UNKNOWN_ORG_UNIT"]
                .map(str::to_owned),
        );
        assert_eq!(problems(site, &draft, true).await, expected);
        assert!(!report.is_refused);
        assert_eq!(
            [report.bad_rows, report.created, report.updated, report.unchanged, report.removed],
            [23, 1, 0, 1, 1]
        );
        assert_eq!(
            spelled(site, &draft).await,
            [
                "26 Created Company/New Name:  -> New; Scope:  -> ALL; Filter:  -> memberOf \"Company/Engineering\"; \
                 Parent:  -> Company",
                "- Removed Company/Sales Name: Sales -> ; Scope: ALL -> ; Parent: Company -> ",
            ],
            "units whose rows are left out are not removed"
        );
        assert_eq!(violations(&apply(site, &draft).await.unwrap_err()), ["rows: HAS_ERRORS"]);
        let options = ApplyOptions { valid_rows: true, confirm_removals: Some(1) };
        apply_with(site, &draft, options).await.unwrap();
        for path in ["Company/New", "Company/Engineering/Platform", "Guests"] {
            at(site, path);
        }

        let server = Server::new(site);
        let path = format!("/export/import-errors.csv?draft={}", draft.row.id.to_global());
        let reply = server.send(http::Request::get(&path).body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!((reply.status, &reply.headers["roster-row-count"]), (http::StatusCode::OK, &"23".parse().unwrap()));
        assert!(reply.body.contains(",D/D,,,3,"), "{}", reply.body);
        let mended = reply.body.replacen("SOME", "ALL", 1).replace("departement eq 1", "\"department eq \"\"1\"\"\"");
        let mended = self::draft(site, &mended, ImportOptions::default()).await;
        assert_eq!(problems(site, &mended, true).await, [""; 0], "{}", reply.body);
        let report = mended.report.clone().unwrap();
        assert_eq!([report.rows, report.created, report.updated], [23, 20, 3]);
        let holds: Vec<&str> = report.columns.iter().map(|(_, holds)| holds.as_str()).collect();
        assert_eq!(holds, ["ID", "Path", "Scope", "Filter", "", ""]);
    });
}

#[test]
fn columns_of_org_units_are_mapped_and_remembered_and_a_file_is_read_in_another_way_when_asked() {
    on_both(async |site: &Site| {
        company(site).await;
        let map = |columns: Vec<(&str, ColumnSource)>| {
            let columns = columns.into_iter().map(|(title, source)| (title.to_owned(), source)).collect();
            ImportOptions { mapping: Mapping { columns, ..Mapping::default() }, ..ImportOptions::default() }
        };
        let of = ColumnSource::OrgUnit;
        let options = map(vec![
            ("team", of(OrgUnitColumn::Path)),
            ("who", of(OrgUnitColumn::Pinned)),
            ("Path", ColumnSource::Ignore),
        ]);
        let rows = "Team;Who;Path;Description\nGuests;ann@corp.example;x;Gäste\n";
        let bytes: Vec<u8> = rows.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let first = NewDraft {
            mapping: Some("Org chart".into()),
            ..new_of(ImportKind::OrgUnits, bytes, ImportOptions { delimiter: Some(b','), ..options.clone() })
        };
        let draft = compared(site, site.create_draft(&me(), first).await.unwrap()).await;
        assert!(draft.report.as_ref().unwrap().is_refused);
        // Read as it was written, with what is known of its columns.
        let options = ImportOptions { delimiter: Some(b';'), encoding: Some(Encoding::Windows1252), ..options };
        site.rebase_draft(draft.row.id, Some(options)).await.unwrap();
        let draft = compared(site, draft.row.id).await;
        assert_eq!(
            spelled(site, &draft).await,
            ["2 Updated Guests Description:  -> Gäste; Pinned:  -> ann@corp.example"]
        );
        let report = draft.report.clone().unwrap();
        let detected = report.detected.unwrap();
        assert_eq!((detected.encoding, detected.delimiter), (Encoding::Windows1252, b';'));
        let columns: Vec<(&str, &str)> =
            report.columns.iter().map(|(title, holds)| (title.as_str(), holds.as_str())).collect();
        assert_eq!(columns, [("Team", "Path"), ("Who", "Pinned"), ("Path", ""), ("Description", "Description")]);

        let remembered =
            NewDraft { mapping: Some("org chart".into()), ..new("Team\nGuests\nNew\n", ImportOptions::default()) };
        let draft = compared(site, site.create_draft(&me(), remembered).await.unwrap()).await;
        assert_eq!(spelled(site, &draft).await, ["3 Created New Name:  -> New; Scope:  -> ALL"]);

        let wrong = map(vec![
            ("team", of(OrgUnitColumn::Path)),
            ("TEAM", of(OrgUnitColumn::Path)),
            ("tema", ColumnSource::Ignore),
            ("who", ColumnSource::Attribute { key: "department".into(), date_format: None }),
            ("Also", of(OrgUnitColumn::Path)),
        ]);
        let level = NewAttribute {
            title: "Level".into(),
            key: None,
            r#type: AttributeType::Text,
            description: String::new(),
            options: Vec::new(),
            is_required: false,
            is_unique: false,
            readable_by: None,
            position: None,
        };
        let wrong = ImportOptions { new_attributes: vec![("Who".into(), level)], ..wrong };
        let draft = self::draft(site, "Team,Who,Also\nGuests,,\n", wrong).await;
        assert!(draft.report.as_ref().unwrap().is_refused);
        assert_eq!(
            problems(site, &draft, true).await,
            [
                "1 Who: NEW_ATTRIBUTE",
                "1 TEAM: DUPLICATE_MAPPING",
                "1 tema: UNKNOWN_MAPPING",
                "1 who: UNKNOWN_MAPPING",
                "1 Also: DUPLICATE_TARGET",
            ]
        );
        let users = new_of(ImportKind::Users, "Name,Email\n", map(vec![("Name", of(OrgUnitColumn::Name))]));
        let draft = compared(site, site.create_draft(&me(), users).await.unwrap()).await;
        assert!(problems(site, &draft, true).await.contains(&"1 Name: UNKNOWN_MAPPING".to_owned()));
    });
}

#[test]
fn the_same_file_of_users_and_of_org_units_are_two_requests() {
    on_both(async |site: &Site| {
        company(site).await;
        let request = |kind| NewDraft {
            client_mutation_id: Some("r1".into()),
            ..new_of(kind, "Name\nGuests\n", ImportOptions::default())
        };
        let id = site.create_draft(&me(), request(ImportKind::OrgUnits)).await.unwrap();
        assert_eq!(site.create_draft(&me(), request(ImportKind::OrgUnits)).await.unwrap(), id);
        let other = site.create_draft(&me(), request(ImportKind::Users)).await.unwrap_err();
        assert_eq!(violations(&other), ["clientMutationId: IDEMPOTENCY_MISMATCH"]);
        site.finish_draft(id).await;
        site.cancel_draft(id).await.unwrap();
        let draft = site.draft(id).await.unwrap();
        assert_eq!((draft.row.state, draft.row.kind), (DraftState::Cancelled, ImportKind::OrgUnits));
    });
}

#[test]
fn a_draft_of_org_units_that_another_process_left_is_compared_and_applied_by_this_one() {
    on_each(async |site: &Site| {
        company(site).await;
        let draft = draft(site, EDITED, replace()).await;
        let [worker, lease] = left_by_another();
        let left = [(Column::State, Expr::value(DraftState::Comparing)), worker, lease];
        assert!(set(site, DraftState::Ready, &left).await);
        let other = site.another_process().await;
        other.tend_drafts().await.unwrap();
        other.finish_draft(draft.row.id).await;
        let again = other.draft(draft.row.id).await.unwrap();
        assert_eq!((again.row.state, again.row.attempts), (DraftState::Ready, 2));
        assert_eq!(spelled(&other, &again).await, spelled(site, &draft).await);
        let confirmed = ApplyOptions { confirm_removals: Some(1), ..ApplyOptions::default() };
        other.apply_draft(&me(), draft.row.id, confirmed).await.unwrap();
        site.refresh().await.unwrap();
        at(site, "Firm/New");
    });
}

const DRAFT: &str = "kind state rows created updated unchanged removed badRows isRefused removalsToConfirm baseVersion
    encoding delimiter progress { rowsDone rowsTotal percent } columns { header holds } moved { line email path message }
    impact(first: 3) { totalCount pageInfo { hasNextPage endCursor }
        edges { cursor node { path membersBefore membersAfter orgUnit { path } } } }
    rest: impact(first: 3, after: \"2\") { edges { node { path } } }
    changes { totalCount edges { node {
        line kind name email path user { email } orgUnit { path } cells { column before after } notes } } }
    removals: changes(kind: REMOVED) { totalCount edges { node { path } } }
    errors { totalCount } warnings { totalCount }";

#[test]
fn a_draft_of_org_units_is_made_looked_at_applied_and_undone_over_graphql() {
    let told = on_both(async |site: &Site| {
        company(site).await;
        let before = export(site).await;
        let server = Server::new(site);
        let data = |reply: &str| {
            let mut reply: serde_json::Value = serde_json::from_str(reply).unwrap();
            assert_eq!(reply.get("errors"), None, "{reply}");
            reply["data"].take()
        };
        let create = "mutation($file: Upload!) { createImportDraft(input: { file: $file, kind: ORG_UNITS,
            options: { mode: REPLACE, columns: [{ header: \"Place\", orgUnitColumn: PATH }] } }) {
            draft { id kind state } } }";
        let rows = with_ids(site, EDITED).replacen("Path", "Place", 1);
        let made =
            data(&server.execute(create, json!({}), Some(&rows)).await.body)["createImportDraft"]["draft"].take();
        assert_eq!(made["kind"], "ORG_UNITS");
        let id = made["id"].as_str().unwrap().to_owned();
        let follow = "subscription($id: ID!) { importDraft(id: $id) { kind state progress { percent } } }";
        let mut events = server.subscribe(follow, json!({ "id": id })).await;
        let mut last = json!(null);
        while let Some(event) = events.next().await {
            last = event["data"]["importDraft"].clone();
        }
        assert_eq!(last, json!({ "kind": "ORG_UNITS", "state": "READY", "progress": { "percent": 100 } }));
        let query = format!("query($id: ID!) {{ importDraft(id: $id) {{ {DRAFT} }} }}");
        let looked = data(&server.execute(&query, json!({ "id": id }), None).await.body)["importDraft"].take();

        unit(site, "Late", None, None).await;
        let apply =
            "mutation($id: ID!, $removals: Int) { applyImportDraft(input: { id: $id, confirmRemovals: $removals }) {
            draft { state appliedVersion } } }";
        let refused: serde_json::Value =
            serde_json::from_str(&server.execute(apply, json!({ "id": id, "removals": 1 }), None).await.body).unwrap();
        assert_eq!(refused["errors"][0]["extensions"]["code"], "CONFLICT");
        let moved = "query($id: ID!) { importDraft(id: $id) { state moved { line email path message } } }";
        let moved = data(&server.execute(moved, json!({ "id": id }), None).await.body)["importDraft"].take();
        let delete = format!(
            "mutation {{ deleteOrgUnit(input: {{ id: \"{}\" }}) {{ version }} }}",
            at(site, "Late").to_global()
        );
        data(&server.execute(&delete, json!({}), None).await.body);
        let applied = data(&server.execute(apply, json!({ "id": id, "removals": 1 }), None).await.body);
        let applied = applied["applyImportDraft"]["draft"].clone();
        assert_eq!(applied["state"], "APPLIED");
        let undo =
            format!("mutation {{ undoChangeset(input: {{ number: {} }}) {{ version }} }}", applied["appliedVersion"]);
        data(&server.execute(&undo, json!({}), None).await.body);
        assert_eq!(export(site).await, before);
        let done = data(&server.execute(&query, json!({ "id": id }), None).await.body)["importDraft"].take();
        assert_eq!(done["changes"], looked["changes"], "what it did can still be looked at");
        (looked.to_string(), moved.to_string())
    });
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    insta::assert_json_snapshot!([json(&told.0), json(&told.1)]);
}

#[test]
fn a_filter_that_names_units_by_their_old_paths_keeps_naming_them_and_is_warned_of() {
    on_both(async |site: &Site| {
        company(site).await;
        let of = |unit: &str| json!({ "orgUnit": { "id": at(site, unit).to_global(), "descendants": false } });
        let asks = filter(json!({ "any": [of("Company/Sales"), of("Company/Engineering")] }));
        let change = OrgUnitChange { filter: Some(Some(asks)), ..OrgUnitChange::default() };
        site.update_org_unit(&me(), at(site, "Guests"), change).await.unwrap();
        let stored = |site: &Site| site.index().org_unit(at(site, "Guests")).unwrap().row.filter.clone();
        let before = stored(site);
        // Two units swap names; the filter's cell is left as it was.
        let text = export(site).await;
        let swapped = text
            .replace(",Company/Engineering,", ",Company/Swap,")
            .replace(",Company/Engineering/Platform,", ",Company/Swap/Platform,")
            .replace(",Company/Sales,", ",Company/Engineering,")
            .replace(",Company/Swap", ",Company/Sales");
        let draft = draft(site, &swapped, ImportOptions::default()).await;
        assert_eq!(
            spelled(site, &draft).await,
            [
                "3 Updated Company/Sales Name: Engineering -> Sales",
                "5 Updated Company/Engineering Name: Sales -> Engineering",
            ]
        );
        assert_eq!(problems(site, &draft, false).await, ["6 Filter: OLD_PATH"]);
        apply(site, &draft).await.unwrap();
        assert_eq!(stored(site), before);

        // Asked for anew, a path is one of the tree as it will be, and else of the tree as it was.
        let content = "ID,Path,Filter\n{Company/Sales},Company/Tech,\n\
                       {Guests},Guests,\"memberOf \"\"Company/Sales\"\" or memberOf \"\"Company/Tech/Platform\"\"\"\n";
        let draft = self::draft(site, content, ImportOptions::default()).await;
        assert_eq!(problems(site, &draft, false).await, ["3 Filter: OLD_PATH"]);
        let told = spelled(site, &draft).await;
        assert!(told[1].ends_with("-> memberOf \"Company/Tech\" or memberOf \"Company/Tech/Platform\""), "{told:?}");
    });
}

/// What a file of units says of each, by its id or, of one that is new, its path: a cell for each title.
fn rows(text: &[u8]) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text);
    let titles = reader.headers().unwrap().clone();
    let cells = |row: csv::StringRecord| -> BTreeMap<String, String> {
        titles.iter().zip(&row).map(|(title, cell)| (title.to_owned(), cell.to_owned())).collect()
    };
    let key = |row: &BTreeMap<String, String>| row["ID"].clone();
    reader.records().map(|row| cells(row.unwrap())).map(|row| (key(&row), row)).collect()
}

async fn raw(site: &Directory) -> Vec<u8> {
    site.export_org_units(Style { raw: true, ..Style::default() }).await.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn what_is_edited_in_an_export_of_org_units_is_exactly_what_its_draft_says_and_undone_it_is_as_before(
        made in prop::collection::vec((0..12_usize, 0..NAMES.len(), any::<bool>(), 0..20_usize), 0..10),
        edits in edits(),
        turn in 0..20_usize,
    ) {
        on_both(async |site: &Site| {
            user(site, "Ann", "ann@corp.example", json!({})).await;
            let mut tree: Vec<Drawn> = Vec::new();
            for (parent, name, is_scoped, asks) in &made {
                let parent = (*parent < tree.len()).then_some(*parent);
                let asks = (*asks < tree.len()).then_some(*asks);
                let is_scoped = *is_scoped && parent.is_some();
                tree.push(Drawn { is_scoped, asks, ..Drawn::new(parent, NAMES[*name]) });
                if !Drawn::holds(&tree) {
                    tree.pop();
                }
            }
            let first = Drawn::file(&tree, turn, &tree);
            apply(site, &draft(site, &first, ImportOptions::default()).await).await.unwrap();
            for at in 0..tree.len() {
                tree[at].id = self::at(site, &Drawn::path(&tree, at)).to_global();
            }
            let (before, exported) = (rows(&raw(site).await), export(site).await);

            let after = edits.iter().fold(tree.clone(), |tree, edit| Drawn::edited(tree, *edit));
            let drafted = draft(site, &Drawn::file(&after, turn, &tree), replace()).await;
            let content = Drawn::file(&after, turn, &tree);
            assert_eq!(problems(site, &drafted, true).await, [""; 0], "{content}");
            let removed = drafted.report.as_ref().unwrap().removed;
            let options = ApplyOptions { confirm_removals: Some(removed), ..ApplyOptions::default() };
            let told = changes(site, &drafted).await;
            let impact = impact(drafted.report.as_ref().unwrap());
            let members = |site: &Site| -> BTreeMap<String, (String, u64)> {
                let index = site.index();
                let ids: Vec<_> = index.org_units().map(|unit| unit.row.id).collect();
                let counts = index.member_counts(&ids);
                ids.iter().zip(counts).map(|(id, count)| (id.to_global(), (index.path(*id), count))).collect()
            };
            let members_before = members(site);
            let version = site.version();
            let applied = apply_with(site, &drafted, options).await.unwrap();
            let now = rows(&raw(site).await);

            // Which columns of which unit are edited is what the draw says; what stands there, what the exports say.
            let mut expected = Vec::new();
            for (at, unit) in after.iter().enumerate() {
                let old = tree.get(at).filter(|old| !old.id.is_empty());
                if unit.is_gone && old.is_none() {
                    continue;
                }
                let new = (!unit.is_gone).then_some(unit);
                let id = match new {
                    Some(_) => self::at(site, &Drawn::path(&after, at)).to_global(),
                    None => unit.id.clone(),
                };
                let cell = |rows: &BTreeMap<String, BTreeMap<String, String>>, title: &str| {
                    Some(rows.get(&id)?[title].clone()).filter(|cell| !cell.is_empty())
                };
                let both = |title: &str| (cell(&before, title), cell(&now, title));
                let name = |unit: Option<&Drawn>| unit.map(|unit| unit.name.clone());
                let parent = |unit: Option<&Drawn>, tree: &[Drawn]| Some(Drawn::path(tree, unit?.parent?));
                let asked = |unit: Option<&Drawn>| unit.and_then(|unit| unit.asks);
                let mut cells = vec![("Name", (name(old), name(new)))];
                cells.extend(["Description", "Scope"].map(|title| (title, both(title))));
                let (was, is) = both("Filter");
                // Where two units have swapped their places, the paths of the tree as it will be tell them apart.
                let is_swapped = was == is;
                let was = if is_swapped && was.is_some() { told_before(&told, &id, "Filter") } else { was };
                cells.push(("Filter", if asked(old) == asked(new) { (None, None) } else { (was, is) }));
                cells.extend(["Pinned", "Excluded"].map(|title| (title, both(title))));
                let (was, is) = (parent(old, &tree), parent(new, &after));
                let is_same_path = old.map(|old| old.parent) != new.map(|new| new.parent) && was == is;
                let was = if is_same_path && was.is_some() { told_before(&told, &id, "Parent") } else { was };
                let moved = old.is_none() || new.is_none() || old.and_then(|old| old.parent) != new.and_then(|new| new.parent);
                cells.push(("Parent", if moved { (was, is) } else { (None, None) }));
                cells.retain(|(_, (before, after))| before != after);
                let kind = match (old, new) {
                    (Some(_), None) => ChangeKind::Removed,
                    (None, _) => ChangeKind::Created,
                    (Some(_), Some(_)) if cells.is_empty() => continue,
                    (Some(_), Some(_)) => ChangeKind::Updated,
                };
                let path = new.map_or_else(|| Drawn::path(&tree, at), |_| Drawn::path(&after, at));
                let cells: Vec<_> = cells.into_iter().map(|(title, (old, new))| (title.to_owned(), old, new)).collect();
                expected.push((path, kind, old.map(|_| id.clone()), cells));
            }
            let mut told: Vec<_> = told
                .into_iter()
                .map(|change| {
                    let cells = change.cells.into_iter().map(|cell| (cell.column, cell.before, cell.after)).collect::<Vec<_>>();
                    (change.detail, change.kind, change.record, cells)
                })
                .collect();
            let key = |change: &(String, ChangeKind, Option<String>, Vec<_>)| (change.0.clone(), change.1 == ChangeKind::Removed);
            told.sort_by_key(key);
            expected.sort_by_key(key);
            assert_eq!(told, expected, "{content}");

            let members_now = members(site);
            let count = |of: Option<&(String, u64)>| of.map_or("-".to_owned(), |(_, count)| count.to_string());
            let all = members_before.keys().chain(members_now.keys()).collect::<std::collections::BTreeSet<_>>();
            let mut expected: Vec<String> = all
                .into_iter()
                .map(|id| (members_before.get(id), members_now.get(id)))
                .filter(|(old, new)| old.map(|old| old.1) != new.map(|new| new.1))
                .map(|(old, new)| format!("{}: {} -> {}", new.or(old).unwrap().0, count(old), count(new)))
                .collect();
            let mut impact = impact;
            expected.sort();
            impact.sort();
            assert_eq!(impact, expected, "{content}");

            if applied.row.applied_version != Some(version) {
                let number = version + 1;
                let undone = site.undo_changeset(&me(), UndoOptions { number, ..UndoOptions::default() }).await.unwrap();
                assert_eq!(undone.blocked.len(), 0, "{content}");
            }
            assert_eq!(export(site).await, exported, "{content}");
        });
    }
}

/// What a draft says that stands in a column of a unit.
fn told_before(told: &[roster::directory::csv::RowChange], id: &str, column: &str) -> Option<String> {
    let change = told.iter().find(|change| change.record.as_deref() == Some(id))?;
    let cell = change.cells.iter().find(|cell| cell.column == column)?;
    assert_ne!(cell.before, cell.after);
    cell.before.clone()
}
