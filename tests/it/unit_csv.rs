//! Org units as files: `import(export(x))` changes nothing, trees are turned over in one changeset, and what is wrong is
//! told all at once.

use std::collections::BTreeSet;

use entity::OrgUnitId;
use entity::attribute::AttributeType;
use entity::org_unit::OrgUnitScope;
use proptest::prelude::*;
use roster::directory::csv::{ImportMode, ImportOptions, ImportReport, Mapping, Style};
use roster::directory::{Directory, NewOrgUnit, OrgUnitChange};
use roster::value::{GlobalId, join_path};
use serde_json::json;

use crate::support::{
    Home, Site, attribute, cast, file, filter, in_each_home, me, new_unit, on_both, problems, repository, tables, unit,
    user,
};

/// Three users with a department, and a company of five units.
pub(crate) async fn company(site: &Site) {
    attribute(site, "Department", AttributeType::Text, &[]).await;
    for (name, department) in [("Ann", "Platform"), ("Bob", "Sales"), ("Cy", "Platform")] {
        let email = format!("{}@corp.example", name.to_lowercase());
        user(site, name, &email, json!({ "department": department })).await;
    }
    let company = unit(site, "Company", None, None).await;
    let of_platform = json!({ "attribute": { "key": "department", "is": { "equals": "Platform" } } });
    let engineering = unit(site, "Engineering", Some(company), Some(filter(of_platform))).await;
    let platform = NewOrgUnit { scope: OrgUnitScope::Parent, ..new_unit("Platform", Some(engineering), None) };
    site.create_org_unit(&me(), platform).await.unwrap();
    unit(site, "Sales", Some(company), None).await;
    unit(site, "Guests", None, None).await;
}

/// The unit at a path.
#[track_caller]
pub(crate) fn at(site: &Directory, path: &str) -> OrgUnitId {
    site.index().find_org_unit(path).unwrap_or_else(|| panic!("nothing stands at {path}")).row.id
}

/// The text with the ids of units in place of their paths in braces.
pub(crate) fn with_ids(site: &Directory, text: &str) -> String {
    let index = site.index();
    let units = index.org_units().map(|unit| unit.row.id);
    units.fold(text.to_owned(), |text, id| text.replace(&format!("{{{}}}", index.path(id)), &id.to_global()))
}

/// All paths, in order, without ids.
fn paths(site: &Directory) -> Vec<String> {
    let index = site.index();
    let mut paths: Vec<String> = index.org_units().map(|unit| index.path(unit.row.id)).collect();
    paths.sort();
    paths
}

pub(crate) async fn export(directory: &Directory) -> String {
    String::from_utf8(directory.export_org_units(Style::default()).await.unwrap()).unwrap()
}

async fn import(directory: &Directory, content: impl AsRef<[u8]>, options: ImportOptions) -> ImportReport {
    directory.import_org_units(&me(), file(content), options).await.unwrap()
}

pub(crate) fn replace(confirm_removals: Option<u64>) -> ImportOptions {
    ImportOptions { mode: ImportMode::Replace, confirm_removals, ..ImportOptions::default() }
}

/// Created, updated, unchanged and removed units.
fn counts(report: &ImportReport) -> [u64; 4] {
    [report.created, report.updated, report.unchanged, report.removed]
}

/// Imports a file that must be applied, after a dry run that must say the same and do nothing. The same file again must
/// change nothing.
async fn apply_with(site: &Site, content: &str, options: ImportOptions) -> [u64; 4] {
    let content = with_ids(site, content);
    let before = tables(site).await;
    let dry = import(site, &content, ImportOptions { dry_run: true, ..options.clone() }).await;
    assert_eq!(tables(site).await, before, "a dry run does nothing");
    let report = import(site, &content, options.clone()).await;
    assert_eq!(problems(&report.errors), [""; 0], "{content}");
    assert_eq!(problems(&report.warnings), [""; 0], "{content}");
    assert!(report.applied && !dry.applied);
    assert_eq!(counts(&dry), counts(&report), "what a dry run says");
    let again = import(site, &content, options).await;
    assert_eq!(problems(&again.errors), [""; 0], "{content}");
    assert_eq!(counts(&again), [0, 0, report.rows, 0], "{content}");
    assert_eq!(again.version, report.version);
    counts(&report)
}

async fn apply(site: &Site, content: &str) -> [u64; 4] {
    apply_with(site, content, ImportOptions::default()).await
}

/// Imports a file that must be refused for exactly these problems, and change nothing.
async fn refuse_with(site: &Site, content: &str, options: ImportOptions, expected: &[&str]) -> ImportReport {
    let content = with_ids(site, content);
    let before = tables(site).await;
    let expected: Vec<String> = expected.iter().map(|problem| with_ids(site, problem)).collect();
    for dry_run in [true, false] {
        let report = import(site, &content, ImportOptions { dry_run, ..options.clone() }).await;
        assert_eq!(problems(&report.errors), expected, "{content}");
        assert!(!report.applied);
    }
    assert_eq!(tables(site).await, before, "a refused import changes nothing");
    import(site, &content, options).await
}

async fn refuse(site: &Site, content: &str, expected: &[&str]) -> ImportReport {
    refuse_with(site, content, ImportOptions::default(), expected).await
}

async fn round_trip(site: &Site) {
    let before = (site.version(), tables(site).await);
    let units = site.index().org_units().count() as u64;
    for (style, mode) in [
        (Style::default(), ImportMode::Merge),
        (Style::default(), ImportMode::Replace),
        (Style { mark: true, ..Style::default() }, ImportMode::Merge),
    ] {
        let text = site.export_org_units(style).await.unwrap();
        let report = import(site, &text, ImportOptions { mode, ..ImportOptions::default() }).await;
        let text = String::from_utf8(text).unwrap();
        assert_eq!(problems(&report.errors), [""; 0], "{text}");
        assert_eq!(problems(&report.warnings), [""; 0], "{text}");
        assert_eq!(counts(&report), [0, 0, units, 0], "{text}");
        assert_eq!((report.version, tables(site).await), before, "{text}");
    }
}

fn data(name: &str) -> String {
    std::fs::read_to_string(repository(&format!("tests/data/units/{name}"))).unwrap()
}

#[test]
fn importing_the_export_of_org_units_changes_nothing() {
    on_both(async |site: &Site| {
        round_trip(site).await;
        cast(site).await;
        round_trip(site).await;
        export(site).await
    });
}

#[test]
fn a_file_makes_units_whose_parents_and_filters_name_rows_further_down() {
    let text = on_both(async |site: &Site| {
        attribute(site, "Department", AttributeType::Text, &[]).await;
        for name in ["ann", "bob", "cy"] {
            user(site, name, &format!("{name}@corp.example"), json!({ "department": "Sales" })).await;
        }
        assert_eq!(apply(site, &data("organisation.csv")).await, [9, 0, 0, 0]);
        round_trip(site).await;
        let members = |path| {
            let (index, members) = (site.index(), site.members(at(site, path)).unwrap());
            let ids = index.ids_by_name(&members).unwrap();
            ids.into_iter().map(|id| index.email_of(id).unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(members("Company/Sales/=EMEA"), ["cy@corp.example"]);
        assert_eq!(members("Company/Engineering").len(), 3);
        let text = export(site).await;
        let index = site.index();
        let units = index.org_units().map(|unit| unit.row.id);
        units.fold(text, |text, id| text.replace(&id.to_global(), &format!("{{{}}}", index.path(id))))
    });
    insta::assert_snapshot!(text, @r#"
    "ID","Path","Description","Scope","Filter","Pinned","Excluded"
    {Company},Company,,ALL,,,
    {Company/AI\/ML},Company/AI\/ML,,ALL,"memberOf ""Company/R\\D\\\\""",,
    {Company/Engineering},Company/Engineering,"First line
    ""second line""",ALL,"memberOf ""Company/Sales/=EMEA"" withDescendants",ann@corp.example; bob@corp.example,
    {Company/Engineering/Platform},Company/Engineering/Platform,"They build what the others build on, 24/7",PARENT,"department eq ""Platform""",,cy@corp.example
    {Company/R\D\\},Company/R\D\\,,ALL,,,
    {Company/R\D\\/Straße},Company/R\D\\/Straße,,ALL,everybody,,
    {Company/Sales},Company/Sales,'quoted',ALL,,,
    {Company/Sales/=EMEA},Company/Sales/=EMEA,'=1+1,ALL,"department eq ""Sales"" and not (memberOf ""Guests"")",,
    {Guests},Guests,'-,ALL,,ann@corp.example; bob@corp.example,
    "#);
}

#[test]
fn a_header_that_does_not_say_what_is_what_is_refused_before_any_row() {
    on_both(async |site: &Site| {
        company(site).await;
        refuse(site, "", &["line 1, -: EMPTY_FILE"]).await;
        refuse(site, "Scope\nx\n", &["line 1, Path: MISSING_COLUMN"]).await;
        refuse(site, "Path, path \nx,y\n", &["line 1, path: DUPLICATE_COLUMN"]).await;
        refuse(site, "PATH,Name,parent\n,,\n", &["line 1, Name: DUPLICATE_TARGET", "line 1, parent: DUPLICATE_TARGET"])
            .await;
        let report =
            refuse(site, "Path,,Filters\n,,\n", &["line 1, -: EMPTY_HEADER", "line 1, Filters: UNKNOWN_COLUMN"]).await;
        assert!(report.errors.listed[1].message.contains("did you mean `Filter`?"), "{report:?}");
        refuse(
            site,
            "Path,Scope\nCompany\n\"Guests\n",
            &["line 2, -: WRONG_CELL_COUNT `Company`", "line 3, Path: UNCLOSED_QUOTE `\"Guests`"],
        )
        .await;
    });
}

#[test]
fn every_mistake_is_told_at_once_with_its_line_column_and_value() {
    on_both(async |site: &Site| {
        company(site).await;
        let content = with_ids(site, &data("mistakes.csv"));
        let mut expected = Vec::new();
        let mut reader = csv::Reader::from_reader(content.as_bytes());
        for row in reader.records() {
            let row = row.unwrap();
            let line = row.position().unwrap().line();
            expected.extend(row[7].lines().map(|problem| format!("line {line}, {problem}")));
        }
        let before = tables(site).await;
        let mapping = Mapping { ignore_unknown: true, ..Mapping::default() };
        let report = import(site, &content, ImportOptions { mapping, ..ImportOptions::default() }).await;
        assert_eq!(problems(&report.errors), expected);
        assert!(report.errors.listed.iter().all(|problem| problem.message.len() > 20), "{report:?}");
        assert!(!report.applied);
        assert_eq!(tables(site).await, before);
    });
}

#[test]
fn units_swap_names_and_places_in_one_changeset() {
    on_both(async |site: &Site| {
        company(site).await;
        let (engineering, sales) = (at(site, "Company/Engineering"), at(site, "Company/Sales"));
        // Platform has no row: it stays below the unit that it stood below.
        let swap = "ID,Path\n{Company/Engineering},Company/Sales\n{Company/Sales},Company/Engineering\n";
        assert_eq!(apply(site, swap).await, [0, 2, 0, 0]);
        assert_eq!((at(site, "Company/Sales"), at(site, "Company/Engineering")), (engineering, sales));
        assert_eq!(
            paths(site),
            ["Company", "Company/Engineering", "Company/Sales", "Company/Sales/Platform", "Guests"]
        );
        // The same, of roots, which have an index of their own.
        let (company, guests) = (at(site, "Company"), at(site, "Guests"));
        assert_eq!(apply(site, "ID,Name\n{Company},Guests\n{Guests},Company\n").await, [0, 2, 0, 0]);
        assert_eq!((at(site, "Guests"), at(site, "Company")), (company, guests));
        // Three in a ring, of which one is a root.
        let ring = "ID,Path\n{Guests/Sales},Guests/Engineering\n{Guests/Engineering},Company\n{Company},Guests/Sales\n";
        assert_eq!(apply(site, ring).await, [0, 3, 0, 0]);
        assert_eq!(
            [at(site, "Guests/Engineering"), at(site, "Company"), at(site, "Guests/Sales")],
            [engineering, sales, guests]
        );
        round_trip(site).await;
    });
}

#[test]
fn a_child_becomes_the_parent_of_its_parent() {
    on_both(async |site: &Site| {
        company(site).await;
        let [company, engineering, platform] =
            ["Company", "Company/Engineering", "Company/Engineering/Platform"].map(|path| at(site, path));
        let turned = "ID,Path,Scope\n{Company},Platform/Engineering/Company,ALL\n\
                      {Company/Engineering},Platform/Engineering,ALL\n\
                      {Company/Engineering/Platform},Platform,ALL\n";
        assert_eq!(apply(site, turned).await, [0, 3, 0, 0]);
        let now = ["Platform/Engineering/Company", "Platform/Engineering", "Platform"].map(|path| at(site, path));
        assert_eq!(now, [company, engineering, platform]);
        // And back, taking each other's names on the way.
        let back = "ID,Parent,Name\n{Platform},{Platform/Engineering/Company},Company\n\
                    {Platform/Engineering/Company},,Platform\n{Platform/Engineering},{Platform},Engineering\n";
        assert_eq!(apply(site, back).await, [0, 2, 1, 0]);
        assert_eq!(
            paths(site),
            ["Guests", "Platform", "Platform/Company", "Platform/Company/Engineering", "Platform/Sales"]
        );
    });
}

#[test]
fn what_is_not_in_the_file_is_left_alone_and_what_is_empty_is_emptied() {
    on_both(async |site: &Site| {
        company(site).await;
        let change = OrgUnitChange { description: Some("what sells".into()), ..OrgUnitChange::default() };
        site.update_org_unit(&me(), at(site, "Company/Sales"), change).await.unwrap();
        let pins = "Path,Pinned,Excluded\ncompany/SALES,ann@corp.example,bob@corp.example\n";
        // The path finds the unit whatever its case; its spelling is the file's.
        assert_eq!(apply(site, pins).await, [0, 1, 0, 0]);
        let sales = at(site, "Company/Sales");
        let state = |site: &Site| {
            let index = site.index();
            let unit = index.org_unit(sales).unwrap();
            (unit.row.name.clone(), unit.row.description.clone(), unit.pinned.len(), unit.excluded.len())
        };
        assert_eq!(state(site), ("SALES".into(), "what sells".into(), 1, 1));
        assert_eq!(apply(site, "ID,Pinned\n{Company/SALES},\n").await, [0, 1, 0, 0]);
        assert_eq!(state(site), ("SALES".into(), "what sells".into(), 0, 1));
        assert_eq!(apply(site, "ID,Description,Excluded,Parent\n{Company/SALES},,,\n").await, [0, 1, 0, 0]);
        assert_eq!(state(site), ("SALES".into(), String::new(), 0, 0));
        assert_eq!(paths(site), ["Company", "Company/Engineering", "Company/Engineering/Platform", "Guests", "SALES"]);
        assert_eq!(apply(site, "Path,Filter\nCompany/Engineering,\n").await, [0, 1, 0, 0]);
        assert!(site.index().org_unit(at(site, "Company/Engineering")).unwrap().row.filter.is_none());
        assert_eq!(apply(site, "Name,Parent\nNew root,\nNew unit,New root\nNewer,{Guests}\n").await, [3, 0, 0, 0]);
        assert_eq!(at(site, "New root/New unit"), at(site, "new ROOT/new UNIT"));
        assert_eq!(apply(site, "Name\nGuests\nNewest\n").await, [1, 0, 1, 0]);
    });
}

#[test]
fn those_below_a_renamed_unit_follow_whether_their_rows_say_so_or_not() {
    on_both(async |site: &Site| {
        company(site).await;
        let renamed = "ID,Path\n{Company},Firm\n{Company/Engineering},Firm/Engineering\n\
                       {Company/Engineering/Platform},Firm/Engineering/Platform\n";
        assert_eq!(apply(site, renamed).await, [0, 1, 2, 0]);
        let after = ["Firm", "Firm/Engineering", "Firm/Engineering/Platform", "Firm/Sales", "Guests"];
        assert_eq!(paths(site), after);

        let old = with_ids(
            site,
            "ID,Path\n{Firm},Group\n{Firm/Engineering},Firm/Engineering\n\
             {Firm/Engineering/Platform},Firm/Engineering/Platform\n,Firm/Sales\n,Group/Engineering/Data\n",
        );
        let report = import(site, &old, ImportOptions::default()).await;
        assert_eq!(problems(&report.errors), [""; 0]);
        assert_eq!(counts(&report), [1, 1, 3, 0]);
        let warnings = [
            "line 3, Path: OLD_PATH `Firm/Engineering`",
            "line 4, Path: OLD_PATH `Firm/Engineering/Platform`",
            "line 5, Path: OLD_PATH `Firm/Sales`",
        ];
        assert_eq!(problems(&report.warnings), warnings);
        assert!(report.warnings.listed[1].message.contains("`Group/Engineering`"), "{report:?}");
        let after = [
            "Group",
            "Group/Engineering",
            "Group/Engineering/Data",
            "Group/Engineering/Platform",
            "Group/Sales",
            "Guests",
        ];
        assert_eq!(paths(site), after);
        // Now those paths lead nowhere: the file is no longer one of this tree.
        let again = import(site, &old, ImportOptions::default()).await;
        let expected = [
            "line 3, Path: UNKNOWN_PARENT `Firm/Engineering`",
            "line 4, Path: UNKNOWN_PARENT `Firm/Engineering/Platform`",
            "line 5, Path: UNKNOWN_PARENT `Firm/Sales`",
        ];
        assert_eq!(problems(&again.errors), expected);
        assert_eq!(paths(site), after);
    });
}

#[test]
fn rows_that_cannot_be_imported_are_left_out_where_that_is_asked_for() {
    on_both(async |site: &Site| {
        company(site).await;
        let content = "Path,Scope\nNew,SOME\nNew/Below,ALL\nNew/Below/Further,ALL\nGuests,x\nCompany,ALL\nRight,ALL\n";
        let options = ImportOptions { valid_rows: true, ..replace(Some(3)) };
        let dry = import(site, content, ImportOptions { dry_run: true, ..options.clone() }).await;
        let report = import(site, content, options).await;
        let expected = [
            "line 2, Scope: NOT_A_SCOPE `SOME`",
            "line 3, Path: UNKNOWN_PARENT `New/Below`",
            "line 4, Path: UNKNOWN_PARENT `New/Below/Further`",
            "line 5, Scope: NOT_A_SCOPE `x`",
        ];
        assert_eq!(problems(&report.errors), expected);
        assert_eq!(problems(&dry.errors), expected);
        assert_eq!((counts(&dry), counts(&report)), ([1, 0, 1, 3], [1, 0, 1, 3]));
        assert!(report.applied && !dry.applied);
        assert_eq!(paths(site), ["Company", "Guests", "Right"]);
    });
}

#[test]
fn replace_removes_what_the_file_lacks_behind_the_guard() {
    on_both(async |site: &Site| {
        company(site).await;
        let rest = "ID,Path\n{Company},Company\n{Company/Engineering},Company/Engineering\n";
        let report = refuse_with(site, rest, replace(None), &["line 1, -: REMOVALS_NOT_CONFIRMED"]).await;
        assert_eq!((report.removed, report.removals_to_confirm), (3, Some(3)));
        refuse_with(site, rest, replace(Some(2)), &["line 1, -: REMOVALS_NOT_CONFIRMED"]).await;
        // A unit takes the name of one that goes, and those below one that goes go with it.
        let rest = "ID,Path\n{Company},Guests\n,Guests/Engineering\n";
        let platform_gone = "ID,Path\n{Company},Guests\n{Company/Engineering},Guests/Engineering\n";
        refuse_with(site, rest, replace(Some(4)), &["line 1, -: REMOVALS_NOT_CONFIRMED"]).await;
        assert_eq!(apply_with(site, platform_gone, replace(Some(3))).await, [0, 1, 1, 3]);
        assert_eq!(paths(site), ["Guests", "Guests/Engineering"]);
        assert_eq!(apply_with(site, "Path\nA/B\nA\n", replace(Some(2))).await, [2, 0, 0, 2]);
        assert_eq!(paths(site), ["A", "A/B"]);
        assert_eq!(apply_with(site, "Path\n", replace(Some(2))).await, [0, 0, 0, 2]);
        assert_eq!(paths(site), [""; 0]);
    });
}

#[test]
fn replace_keeps_what_filters_name_and_what_others_stand_below() {
    on_both(async |site: &Site| {
        company(site).await;
        let of_sales = json!({ "not": { "orgUnit": { "id": at(site, "Company/Sales").to_global() } } });
        let change = OrgUnitChange { filter: Some(Some(filter(of_sales))), ..OrgUnitChange::default() };
        site.update_org_unit(&me(), at(site, "Guests"), change).await.unwrap();
        let rest = "ID,Path\n{Guests},Guests\n{Company},Company\n";
        let report = refuse_with(site, rest, replace(Some(3)), &["line 2, Path: IN_USE `Company/Sales`"]).await;
        assert!(report.errors.listed[0].message.contains("the filter of `Guests` names it"), "{report:?}");
        // The same filter, written in the file.
        let written = "Path,Filter\nCompany,\nGuests,\"{\"\"orgUnit\"\":{\"\"id\"\":\"\"Company/Sales\"\"}}\"\n";
        let problem = "line 3, Filter: UNKNOWN_ORG_UNIT `{\"orgUnit\":{\"id\":\"Company/Sales\"}}`";
        refuse_with(site, written, replace(Some(3)), &[problem]).await;
        // A unit that goes may name another that goes; and a filter that is emptied names nobody.
        assert_eq!(apply_with(site, "Path,Filter\nGuests,\nCompany,\n", replace(Some(3))).await, [0, 1, 1, 3]);
        unit(site, "Below", Some(at(site, "Company")), None).await;
        let staying = "ID,Description\n{Company/Below},stays\n{Guests},\n";
        refuse_with(site, staying, replace(Some(1)), &["line 2, ID: IN_USE `Below`"]).await;
        let staying = "Path\nCompany/Below\nGuests\n";
        refuse_with(site, staying, replace(Some(1)), &["line 2, Path: UNKNOWN_PARENT `Company/Below`"]).await;
    });
}

#[test]
fn no_unit_comes_to_stand_below_itself_or_too_deep() {
    on_both(async |site: &Site| {
        company(site).await;
        let below = "ID,Path\n{Company},Company/Engineering/Company\n{Guests},Guests\n";
        refuse(site, below, &["line 2, Path: CYCLE `Company/Engineering/Company`"]).await;
        let each_other = "ID,Parent\n{Guests},{Company/Sales}\n{Company},Guests\n";
        let report =
            refuse(site, each_other, &["line 2, Parent: CYCLE `{Company/Sales}`", "line 3, Parent: CYCLE `Guests`"])
                .await;
        assert!(report.errors.listed[0].message.contains("these would: `Guests`, `Sales`, `Company`;"), "{report:?}");
        refuse(site, "ID,Parent\n{Guests},Guests\n", &["line 2, Parent: CYCLE `Guests`"]).await;
        let unknown = format!("org_{:032x}", 7);
        let problem = format!("line 2, Parent: UNKNOWN_PARENT `{unknown}`");
        refuse(site, &format!("ID,Parent\n{{Guests}},{unknown}\n"), &[&problem]).await;

        let deep: String = (1..=32).rev().map(|depth| format!("{}\n", vec!["D"; depth].join("/"))).collect();
        assert_eq!(apply(site, &format!("Path\n{deep}")).await, [32, 0, 0, 0]);
        let too_deep = vec!["D"; 33].join("/");
        let problem = format!("line 2, Path: LIMIT_EXCEEDED `{too_deep}`");
        refuse(site, &format!("Path\n{too_deep}\n"), &[&problem]).await;
        // Those below a unit that is moved count.
        refuse(site, "ID,Parent\n{D},Company\n", &["line 2, Parent: LIMIT_EXCEEDED `Company`"]).await;
        let longest = vec!["x"; 1_001].join("/");
        let report = import(site, format!("Path\n{longest}\n"), ImportOptions::default()).await;
        assert_eq!(report.errors.listed[0].code, "LIMIT_EXCEEDED");
    });
}

#[test]
fn members_that_would_depend_on_themselves_are_refused() {
    on_both(async |site: &Site| {
        company(site).await;
        let of = |id: &str| format!("\"{{\"\"orgUnit\"\":{{\"\"id\"\":\"\"{id}\"\",\"\"descendants\"\":true}}}}\"");
        // Platform selects among Engineering's members, which would be those of Platform.
        let content = format!("Path,Filter\nCompany/Engineering,{}\n", of("Company/Engineering/Platform"));
        refuse(site, &content, &["line 2, Filter: CYCLE `Company/Engineering`"]).await;
        // By a move: who asks about all below a unit comes to stand there.
        assert_eq!(apply(site, &format!("Path,Filter\nGuests,{}\n", of("Company/Sales"))).await, [0, 1, 0, 0]);
        refuse(site, "ID,Parent\n{Guests},{Company/Sales}\n", &["line 2, Parent: CYCLE `Company/Sales/Guests`"]).await;
        // The circle that one row would close, another opens.
        let content =
            format!("ID,Parent,Filter\n{{Guests}},{{Company/Sales}},{}\n", of("Company/Engineering/Platform"));
        assert_eq!(apply(site, &content).await, [0, 1, 0, 0]);
    });
}

#[test]
fn there_are_no_more_units_than_the_limit_and_thousands_change_places_at_once() {
    on_both(async |site: &Site| {
        let units = 4_500;
        let rows: String = (0..units).map(|n| format!("Root/{n:05}\n")).collect();
        let options = ImportOptions::default();
        let report = import(site, format!("Path\n{rows}Root\n"), options.clone()).await;
        assert_eq!((problems(&report.errors), report.created), (Vec::new(), units + 1));
        let ids: Vec<String> = (0..units).map(|n| at(site, &format!("Root/{n:05}")).to_global()).collect();
        let turned: String = ids.iter().zip(1..).map(|(id, n)| format!("{id},Root/{:05}\n", n % units)).collect();
        let report = import(site, format!("ID,Path\n{turned}"), options.clone()).await;
        assert_eq!((problems(&report.errors), report.updated), (Vec::new(), units));
        assert_eq!(at(site, "Root/00001").to_global(), ids[0]);
        let many: String = (0..20_000 - units).map(|n| format!("More {n}\n")).collect();
        let report = import(site, format!("Path\n{many}"), options.clone()).await;
        assert_eq!(problems(&report.errors), ["line 1, -: LIMIT_EXCEEDED"]);
        let report = import(site, format!("Path\n{many}{rows}x\n"), options).await;
        assert_eq!(problems(&report.errors), ["line 1, -: LIMIT_EXCEEDED", "line 20002, -: TOO_MANY_ROWS"]);
    });
}

#[test]
fn cells_that_a_spreadsheet_would_run_leave_as_text_and_come_back() {
    on_both(async |site: &Site| {
        let names = ["=1+1", "-cmd", "@x", "'=y", "+", "＝z", "back\\", "\\\\", "a\"b,c;d", "Straße", "=a/b"];
        for (at, name) in names.iter().enumerate() {
            let top = unit(site, name, None, None).await;
            let below = NewOrgUnit { description: format!("={at}"), ..new_unit(name, Some(top), None) };
            site.create_org_unit(&me(), below).await.unwrap();
        }
        for record in csv::Reader::from_reader(export(site).await.as_bytes()).records() {
            for cell in &record.unwrap() {
                assert!(!"=+-@＝".contains(cell.chars().next().unwrap_or('x')), "a cell that runs: {cell}");
            }
        }
        round_trip(site).await;
    });
}

#[test]
fn the_same_filter_written_otherwise_is_no_change() {
    on_both(async |site: &Site| {
        company(site).await;
        attribute(site, "Cost", AttributeType::Number, &[]).await;
        attribute(site, "Supervisor", AttributeType::User, &[]).await;
        let ann = json!({ "attribute": { "key": "supervisor", "is": { "reportsTo": "ann@corp.example" } } });
        let stored = json!({ "all": [{ "attribute": { "key": "cost", "is": { "atLeast": 2 } } }, ann] });
        let change = OrgUnitChange { filter: Some(Some(filter(stored))), ..OrgUnitChange::default() };
        site.update_org_unit(&me(), at(site, "Guests"), change).await.unwrap();
        round_trip(site).await;
        let otherwise = r#"Path,Filter
Guests,"cost ge 2.0 and supervisor reportsTo ""ANN@corp.example"""
Company/Engineering,"{ ""attribute"": { ""key"": ""Department"", ""is"": { ""equals"": ""Platform"" } } }"
"#;
        assert_eq!(apply(site, otherwise).await, [0, 0, 2, 0]);
        assert_eq!(apply(site, "Path,Filter\nGuests,cost ge 3\n").await, [0, 1, 0, 0]);
    });
}

#[test]
fn the_program_exports_and_imports_org_units() {
    in_each_home(|home: &Home| {
        let file = home.path("units.csv");
        std::fs::write(&file, "Path,Scope\nA/B,PARENT\nA,ALL\n").unwrap();
        let file = file.display().to_string();
        let said = home.output_of(&["import", &file, "--org-units"]);
        assert!(said.ends_with("Org units: 2 created, 0 updated, 0 removed; 0 unchanged.\n"), "{said}");
        let text = home.exported(&["--org-units"]);
        assert!(
            text.starts_with("\"ID\",\"Path\",\"Description\",\"Scope\",\"Filter\",\"Pinned\",\"Excluded\"\norg_"),
            "{text}"
        );
        assert!(text.ends_with(",A/B,,PARENT,,,\n"), "{text}");
        let again = home.run_with(&["import", "-", "--org-units", "--mode", "replace", "--json"], text.as_bytes());
        assert_eq!(again.code, Some(0));
        assert!(again.output.contains("\"unchanged\": 2"), "{}", again.output);
        let bad = home.run_with(&["import", "-", "--org-units"], b"Path\nX/Y\n");
        assert_eq!(bad.code, Some(1));
        assert!(bad.output.contains("line 2, Path: UNKNOWN_PARENT"), "{}", bad.output);
        assert_eq!(home.run(&["import", &file, "--org-units", "--column", "x=id"]).code, Some(2));
        assert_eq!(home.run(&["export", "--org-units", "--sample"]).code, Some(2));
    });
}

/// A unit of a drawn tree: the places in the list of its parent and of the unit whose members its filter selects, if it
/// has them, and what else it holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drawn {
    pub(crate) id: String,
    pub(crate) parent: Option<usize>,
    pub(crate) asks: Option<usize>,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) is_scoped: bool,
    pub(crate) is_pinned: bool,
    pub(crate) is_gone: bool,
}

pub(crate) const NAMES: [&str; 7] = ["A", "=B", "Ç", "d\\", "E;\"e\"", "F f", "g/\\h"];

/// One edit of a tree; each takes what it needs of the numbers.
pub(crate) fn edits() -> impl Strategy<Value = Vec<(u8, usize, usize, usize)>> {
    prop::collection::vec((0..9_u8, 0..40_usize, 0..40_usize, 0..NAMES.len()), 0..12)
}

impl Drawn {
    pub(crate) fn new(parent: Option<usize>, name: &str) -> Self {
        Self {
            id: String::new(),
            parent,
            asks: None,
            name: name.to_owned(),
            description: String::new(),
            is_scoped: false,
            is_pinned: false,
            is_gone: false,
        }
    }

    fn above(tree: &[Drawn], at: usize) -> Vec<usize> {
        std::iter::successors(Some(at), |at| tree[*at].parent).take(tree.len() + 1).collect()
    }

    pub(crate) fn path(tree: &[Drawn], at: usize) -> String {
        join_path(Self::above(tree, at).iter().rev().map(|at| tree[*at].name.as_str()))
    }

    /// Whether a tree is one that the directory would take.
    pub(crate) fn holds(tree: &[Drawn]) -> bool {
        let there: Vec<usize> = (0..tree.len()).filter(|at| !tree[*at].is_gone).collect();
        let places: BTreeSet<(Option<usize>, String)> =
            there.iter().map(|at| (tree[*at].parent, tree[*at].name.to_lowercase())).collect();
        places.len() == there.len()
            && there.iter().all(|at| {
                let above = Self::above(tree, *at);
                above.len() <= tree.len()
                    && above.iter().all(|at| !tree[*at].is_gone)
                    && (tree[*at].parent.is_some() || !tree[*at].is_scoped)
                    && tree[*at].asks.is_none_or(|asked| !tree[asked].is_gone)
            })
            && Self::leans_on_no_circle(tree)
    }

    /// Whether the members of no unit depend on themselves.
    fn leans_on_no_circle(tree: &[Drawn]) -> bool {
        let mut known = vec![false; tree.len()];
        for _ in 0..tree.len() {
            for at in 0..tree.len() {
                let unit = &tree[at];
                let mut on = unit.parent.filter(|_| unit.is_scoped).into_iter().chain(unit.asks);
                known[at] = on.all(|on| known[on]);
            }
        }
        known.into_iter().all(|known| known)
    }

    /// The tree after an edit; as it is where the directory would not take it.
    pub(crate) fn edited(tree: Vec<Drawn>, (kind, one, other, name): (u8, usize, usize, usize)) -> Vec<Drawn> {
        let mut after = tree.clone();
        if after.is_empty() || kind == 0 {
            let parent = (other < after.len()).then_some(other);
            after.push(Self::new(parent, NAMES[name]));
        } else {
            let (one, other) = (one % after.len(), other % (after.len() + 1));
            let parent = (other < after.len()).then_some(other);
            match kind {
                1 => after[one].name = NAMES[name].to_owned(),
                2 => after[one].parent = parent,
                3 => after[one].description = format!("={name}"),
                4 => after[one].is_pinned = !after[one].is_pinned,
                5 => after[one].is_gone = true,
                6 => {
                    // Two units swap places, with all that stands below them staying below each.
                    let other = parent.unwrap_or_default();
                    let (a, b) = (after[one].clone(), after[other].clone());
                    (after[one].parent, after[one].name) = (b.parent.filter(|at| *at != one).or(a.parent), b.name);
                    (after[other].parent, after[other].name) =
                        (a.parent.filter(|at| *at != other).or(b.parent), a.name);
                }
                7 => after[one].asks = parent,
                _ => {
                    // A child and its parent change places.
                    if let Some(parent) = after[one].parent {
                        after[one].parent = after[parent].parent;
                        after[parent].parent = Some(one);
                        after[one].is_scoped = false;
                    }
                }
            }
        }
        // A new unit may stand where one that goes stood: by its path it would be that one.
        let is_new = |unit: &Drawn| unit.id.is_empty() && !unit.is_gone;
        let is_doubtful = after.iter().any(is_new) && after.iter().any(|unit| unit.is_gone);
        if Self::holds(&after) && !is_doubtful { after } else { tree }
    }

    /// The tree as a file, its rows in an order of their own. Of a filter that is as it was `before`, the cell is, too;
    /// another names its unit by id, or one that is new by its path.
    pub(crate) fn file(tree: &[Drawn], turn: usize, before: &[Drawn]) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["ID", "Path", "Description", "Scope", "Filter", "Pinned"]).unwrap();
        for at in (0..tree.len()).map(|at| (at + turn) % tree.len()).filter(|at| !tree[*at].is_gone) {
            let unit = &tree[at];
            let scope = if unit.is_scoped { "PARENT" } else { "ALL" };
            let pinned = if unit.is_pinned { "ann@corp.example" } else { "" };
            let is_as_before = before.get(at).is_some_and(|before| before.asks == unit.asks);
            let asked = unit.asks.map(|asked| match () {
                () if is_as_before => Self::path(before, asked),
                () if tree[asked].id.is_empty() => Self::path(tree, asked),
                () => tree[asked].id.clone(),
            });
            let filter = asked.map(|unit| format!("memberOf {}", json!(unit))).unwrap_or_default();
            writer.write_record([&unit.id, &Self::path(tree, at), &unit.description, scope, &filter, pinned]).unwrap();
        }
        String::from_utf8(writer.into_inner().unwrap()).unwrap()
    }
}

/// The rows of a file without ids, sorted; of an export without the columns that a drawn tree has not.
fn rows(file: impl AsRef<[u8]>) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(file.as_ref());
    let titles = reader.headers().unwrap().clone();
    let is_drawn = |title: &str| ["Path", "Description", "Scope", "Pinned"].contains(&title);
    let cells = |row: csv::StringRecord| {
        let cells = titles.iter().zip(&row).filter(|(title, _)| is_drawn(title));
        cells.map(|(_, cell)| cell.to_owned()).collect::<Vec<_>>()
    };
    let mut rows: Vec<_> = reader.records().map(|row| cells(row.unwrap())).collect();
    rows.sort();
    rows
}

async fn raw(site: &Site) -> Vec<u8> {
    site.export_org_units(Style { raw: true, ..Style::default() }).await.unwrap()
}

/// A row of a file that may be right or wrong: whose id it has, its path, and its scope.
fn any_row() -> impl Strategy<Value = (Option<usize>, Vec<&'static str>, &'static str)> {
    let id = prop::option::of(0..8_usize);
    let path = prop::collection::vec(prop::sample::select(&["A", "b", "B", "C"][..]), 1..4);
    (id, path, prop::sample::select(&["ALL", "ALL", "ALL", "PARENT"][..]))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn what_is_edited_in_an_export_is_exactly_what_the_import_changes(
        made in prop::collection::vec((0..12_usize, 0..NAMES.len(), any::<bool>()), 0..12),
        edits in edits(),
        turn in 0..20_usize,
        replaces in any::<bool>(),
    ) {
        on_both(async |site: &Site| {
            user(site, "Ann", "ann@corp.example", json!({})).await;
            let mut tree: Vec<Drawn> = Vec::new();
            for (parent, name, is_scoped) in &made {
                let parent = (*parent < tree.len()).then_some(*parent);
                let unit = Drawn { is_scoped: *is_scoped && parent.is_some(), ..Drawn::new(parent, NAMES[*name]) };
                tree.push(unit);
                if !Drawn::holds(&tree) {
                    tree.pop();
                }
            }
            assert_eq!(apply(site, &Drawn::file(&tree, turn, &tree)).await, [tree.len() as u64, 0, 0, 0]);
            assert_eq!(rows(raw(site).await), rows(Drawn::file(&tree, turn, &tree)));
            round_trip(site).await;
            for at in 0..tree.len() {
                let names: Vec<&str> = Drawn::above(&tree, at).iter().rev().map(|at| tree[*at].name.as_str()).collect();
                tree[at].id = site.index().org_unit_at(&names).unwrap().row.id.to_global();
            }

            let after = edits.iter().fold(tree.clone(), |tree, edit| Drawn::edited(tree, *edit));
            let is_new = |unit: &&Drawn| unit.id.is_empty() && !unit.is_gone;
            let created = after.iter().filter(is_new).count() as u64;
            let removed = after.iter().filter(|unit| !unit.id.is_empty() && unit.is_gone).count() as u64;
            let updated = tree.iter().zip(&after).filter(|(old, new)| old != new && !new.is_gone).count() as u64;
            let unchanged = tree.len() as u64 - removed - updated;
            let content = Drawn::file(&after, turn, &tree);
            if replaces {
                let expected = [created, updated, unchanged, removed];
                assert_eq!(apply_with(site, &content, replace(Some(removed))).await, expected, "{content}");
                assert_eq!(rows(raw(site).await), rows(&content), "{content}");
            } else if removed == 0 {
                assert_eq!(apply(site, &content).await, [created, updated, unchanged, 0], "{content}");
                assert_eq!(rows(raw(site).await), rows(&content), "{content}");
            }
            round_trip(site).await;
        });
    }

    #[test]
    fn any_file_is_refused_or_makes_the_tree_that_it_says(
        made in prop::collection::vec(any_row(), 0..8),
        files in prop::collection::vec((prop::collection::vec(any_row(), 0..6), any::<bool>()), 1..4),
    ) {
        on_both(async |site: &Site| {
            let with_parents: BTreeSet<String> =
                made.iter().flat_map(|(_, path, _)| (1..=path.len()).map(|n| path[..n].join("/").to_uppercase())).collect();
            let first: String = with_parents.iter().map(|path| format!("{path}\n")).collect();
            apply(site, &format!("Path\n{first}")).await;
            let ids: Vec<String> = paths(site).iter().map(|path| at(site, path).to_global()).collect();
            for (drawn, replaces) in &files {
                let mut content = "ID,Path,Scope\n".to_owned();
                for (id, path, scope) in drawn {
                    let id = id.and_then(|id| ids.get(id)).map(String::as_str).unwrap_or_default();
                    content += &format!("{id},{},{scope}\n", path.join("/"));
                }
                let mode = if *replaces { ImportMode::Replace } else { ImportMode::Merge };
                let lacks = import(site, &content, ImportOptions { mode, dry_run: true, ..ImportOptions::default() }).await;
                let options = ImportOptions { mode, confirm_removals: Some(lacks.removed), ..ImportOptions::default() };
                let dry = import(site, &content, ImportOptions { dry_run: true, ..options.clone() }).await;
                let before = tables(site).await;
                let done = import(site, &content, options.clone()).await;
                assert_eq!(problems(&dry.errors), problems(&done.errors), "{content}");
                if !done.applied {
                    assert!(!done.errors.is_empty(), "{content}");
                    assert_eq!(tables(site).await, before, "{content}");
                    continue;
                }
                assert_eq!(counts(&dry), counts(&done), "{content}");
                let after = tables(site).await;
                let again = import(site, &content, options).await;
                assert_eq!(tables(site).await, after, "{content}");
                if done.warnings.is_empty() {
                    assert_eq!((again.applied, counts(&again)), (true, [0, 0, done.rows, 0]), "{content}");
                    // Every path of the file is one of the tree, and its unit that of the row's id.
                    for (id, path, _) in drawn {
                        let unit = at(site, &path.join("/")).to_global();
                        let known = id.and_then(|id| ids.get(id));
                        let is_there = |id: &String| lacks.removed == 0 || *id == unit;
                        assert!(known.is_none_or(is_there), "{content}");
                    }
                } else {
                    assert!(problems(&again.errors).iter().any(|problem| problem.contains("UNKNOWN_PARENT")), "{content}");
                }
                round_trip(site).await;
            }
        });
    }
}
