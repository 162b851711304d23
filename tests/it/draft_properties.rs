//! Drafts of random edits of random directories: a draft says exactly what was edited, and applying it does exactly that.

use std::collections::{BTreeMap, BTreeSet};

use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use roster::directory::csv::cell::{neutralise, restore};
use roster::directory::csv::{ChangeKind, ImportMode, ImportOptions, RowChange};
use roster::directory::{ApplyOptions, Directory, Draft, Error, NewAttribute, SyncMode, UserChange};
use roster::index::AccountBy;
use roster::value::GlobalId;
use serde_json::json;

use crate::draft::{changes, draft};
use crate::import::{directory, row, state};
use crate::support::{Site, account, attribute, export, import, integration, me, on_both, on_sqlite, problems, user};

/// The columns with values that do not depend on other users, and values of each as an export has them.
const POOLS: [(&str, &[&str]); 9] = [
    ("Name", &["Ann", "Zoë", "=1+1", "O'Neil", "a; b", "李小龙", "'t Hooft", "two\nlines"]),
    ("Note", &["", "x", "-2+3", "a, \"b\"", "one\r\ntwo", "ß", "'=x"]),
    ("Size", &["", "1", "-3.5", "0.25"]),
    ("Remote", &["", "true", "false"]),
    ("Start", &["", "2024-02-29", "1999-12-31"]),
    ("Teams", &["", "Ops", "Ops; R&D", "R&D"]),
    ("Level", &["", "Junior", "-Senior"]),
    ("Home page", &["", "https://corp.example/", "http://b.example/?a=b"]),
    ("Private", &["", "a@b.example", "ä@xn--bcher-kva.example"]),
];
const TOOLS: [&str; 2] = ["GitHub", "Jira"];
/// Every column of the files.
const TITLES: [&str; 15] = [
    "ID",
    "Name",
    "Email",
    "Note",
    "Size",
    "Remote",
    "Start",
    "Teams",
    "Level",
    "Home page",
    "Private",
    "Supervisor",
    "Number",
    "GitHub",
    "Jira",
];

/// One user, as a file has it. Who has no id yet is new.
#[derive(Clone, Debug)]
struct Person {
    key: usize,
    id: String,
    email: String,
    number: String,
    values: Vec<&'static str>,
    supervisor: Option<usize>,
    accounts: [BTreeSet<String>; 2],
}

#[derive(Clone, Debug)]
enum Edit {
    Value(Index, Index, Index),
    Email(Index),
    /// Somebody new gets the email, and its user another one.
    PassEmail(Index, Vec<Index>),
    SwapEmails(Index, Index),
    SwapNumbers(Index, Index),
    Supervise(Index, Option<Index>),
    MoveAccount(usize, Index, Index),
    Claim(usize, Index),
    Unlink(usize, Index),
    Add(Vec<Index>),
    /// Only in `REPLACE` mode, where a row that is not there says something.
    Drop(Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), at(), at()).prop_map(|(row, column, value)| Edit::Value(row, column, value)),
        1 => at().prop_map(Edit::Email),
        1 => (at(), prop::collection::vec(at(), POOLS.len())).prop_map(|(row, values)| Edit::PassEmail(row, values)),
        1 => (at(), at()).prop_map(|(one, other)| Edit::SwapEmails(one, other)),
        1 => (at(), at()).prop_map(|(one, other)| Edit::SwapNumbers(one, other)),
        2 => (at(), prop::option::of(at())).prop_map(|(row, boss)| Edit::Supervise(row, boss)),
        2 => (0..2_usize, at(), at()).prop_map(|(tool, from, to)| Edit::MoveAccount(tool, from, to)),
        1 => (0..2_usize, at()).prop_map(|(tool, row)| Edit::Claim(tool, row)),
        1 => (0..2_usize, at()).prop_map(|(tool, row)| Edit::Unlink(tool, row)),
        1 => prop::collection::vec(at(), POOLS.len()).prop_map(Edit::Add),
        1 => at().prop_map(Edit::Drop),
    ]
}

/// Per user: values, supervisor, whether it has an account that its tool reported, and one that it did not.
type Drawn = (Vec<Index>, Option<Index>, [bool; 2]);

/// A directory, what is edited in its export, the order of columns and rows of the edited file, and the mode.
#[derive(Clone, Debug)]
struct Case {
    drawn: Vec<Drawn>,
    edits: Vec<Edit>,
    columns: Vec<usize>,
    rows: Vec<u16>,
    mode: ImportMode,
}

fn case() -> impl Strategy<Value = Case> {
    let values = prop::collection::vec(any::<Index>(), POOLS.len());
    let drawn = (values, prop::option::of(any::<Index>()), any::<[bool; 2]>());
    let columns = Just((0..TITLES.len()).collect::<Vec<_>>()).prop_shuffle();
    let rows = prop::collection::vec(any::<u16>(), 16);
    let mode = prop::sample::select(vec![ImportMode::Merge, ImportMode::Replace]);
    (prop::collection::vec(drawn, 1..7), prop::collection::vec(edit(), 0..9), columns, rows, mode)
        .prop_map(|(drawn, edits, columns, rows, mode)| Case { drawn, edits, columns, rows, mode })
}

fn people(drawn: &[Drawn]) -> Vec<Person> {
    let person = |(key, (values, supervisor, accounts)): (usize, &Drawn)| Person {
        key,
        id: String::new(),
        email: format!("u{key}@corp.example"),
        number: format!("k{key}"),
        values: picked(values),
        // Of those before, so that there is no circle.
        supervisor: supervisor.filter(|_| key > 0).map(|supervisor| supervisor.index(key)),
        accounts: [0, 1].map(|tool| accounts[tool].then(|| format!("own{key}")).into_iter().collect()),
    };
    drawn.iter().enumerate().map(person).collect()
}

fn picked(values: &[Index]) -> Vec<&'static str> {
    values.iter().zip(POOLS).map(|(value, (_, pool))| pool[value.index(pool.len())]).collect()
}

/// Somebody whom the directory does not have.
fn somebody(key: usize, email: String, values: &[Index]) -> Person {
    Person {
        key,
        id: String::new(),
        email,
        number: String::new(),
        values: picked(values),
        supervisor: None,
        accounts: Default::default(),
    }
}

/// Edits the rows of a file.
fn edited(people: &[Person], edits: &[Edit], mode: ImportMode) -> Vec<Person> {
    let mut rows = people.to_vec();
    for (nth, edit) in edits.iter().enumerate() {
        let count = rows.len();
        match edit {
            Edit::Add(values) => rows.push(somebody(people.len() + nth, format!("new{nth}@corp.example"), values)),
            _ if count == 0 => {}
            Edit::Value(row, column, value) => {
                let column = column.index(POOLS.len());
                let pool = POOLS[column].1;
                rows[row.index(count)].values[column] = pool[value.index(pool.len())];
            }
            Edit::Email(row) => rows[row.index(count)].email = format!("moved{nth}@corp.example"),
            Edit::PassEmail(row, values) => {
                let email = std::mem::replace(&mut rows[row.index(count)].email, format!("moved{nth}@corp.example"));
                rows.push(somebody(people.len() + nth, email, values));
            }
            Edit::SwapEmails(one, other) => {
                let (one, other) = (one.index(count), other.index(count));
                // Who is new has no email to give away.
                if !rows[one].id.is_empty() && !rows[other].id.is_empty() {
                    let email = rows[one].email.clone();
                    rows[one].email = std::mem::replace(&mut rows[other].email, email);
                }
            }
            Edit::SwapNumbers(one, other) => {
                let (one, other) = (one.index(count), other.index(count));
                let number = rows[one].number.clone();
                rows[one].number = std::mem::replace(&mut rows[other].number, number);
            }
            Edit::Supervise(row, boss) => {
                let boss = boss.map(|boss| rows[boss.index(count)].key);
                let row = &mut rows[row.index(count)];
                row.supervisor = boss.filter(|boss| *boss < row.key);
            }
            Edit::MoveAccount(tool, from, to) => {
                let moved = rows[from.index(count)].accounts[*tool].pop_first();
                rows[to.index(count)].accounts[*tool].extend(moved);
            }
            Edit::Claim(tool, row) => {
                rows[row.index(count)].accounts[*tool].insert(format!("unseen{nth}"));
            }
            Edit::Unlink(tool, row) => {
                rows[row.index(count)].accounts[*tool].pop_first();
            }
            Edit::Drop(row) if mode == ImportMode::Replace => {
                let gone = rows[row.index(count)].key;
                // Whose row goes while a row without an id has the email is not gone: that row is theirs.
                let email = people.iter().find(|person| person.key == gone).map(|person| &person.email);
                if rows.iter().any(|row| row.id.is_empty() && Some(&row.email) == email) {
                    continue;
                }
                rows.retain(|row| row.key != gone);
                for row in rows.iter_mut().filter(|row| row.supervisor == Some(gone)) {
                    row.supervisor = None;
                }
            }
            Edit::Drop(_) => {}
        }
    }
    rows
}

/// The cells of a person, by column, as an export has them but for formulas. `emails` has those of everybody by key.
fn cells(person: &Person, emails: &BTreeMap<usize, String>) -> BTreeMap<&'static str, String> {
    let mut cells: BTreeMap<_, _> =
        POOLS.iter().zip(&person.values).map(|((title, _), value)| (*title, (*value).to_owned())).collect();
    cells.insert("ID", person.id.clone());
    cells.insert("Email", person.email.clone());
    cells.insert("Number", person.number.clone());
    cells.insert("Supervisor", person.supervisor.map(|boss| emails[&boss].clone()).unwrap_or_default());
    for (tool, accounts) in TOOLS.iter().zip(&person.accounts) {
        cells.insert(tool, accounts.iter().cloned().collect::<Vec<_>>().join("; "));
    }
    cells
}

fn emails(people: &[Person]) -> BTreeMap<usize, String> {
    people.iter().map(|person| (person.key, person.email.clone())).collect()
}

/// The file, and the line of each row.
fn written(rows: &[Person], columns: &[usize]) -> (Vec<u8>, Vec<u64>) {
    let emails = emails(rows);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns.iter().map(|column| TITLES[*column])).unwrap();
    let mut line = 2;
    let mut lines = Vec::new();
    for row in rows {
        let cells = cells(row, &emails);
        let record: Vec<String> =
            columns.iter().map(|column| neutralise(&cells[TITLES[*column]]).into_owned()).collect();
        lines.push(line);
        line += 1 + record.iter().map(|cell| cell.matches('\n').count() as u64).sum::<u64>();
        writer.write_record(&record).unwrap();
    }
    (writer.into_inner().unwrap(), lines)
}

/// A change: line, what becomes of whom, and each column before and after.
type Told = (Option<u64>, String, String, BTreeMap<String, [String; 2]>);

fn told(change: &RowChange) -> Told {
    let cells = change.cells.iter().map(|cell| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        (cell.column.clone(), [text(&cell.before), text(&cell.after)].map(|text| sorted(&cell.column, &text)))
    });
    (change.line, format!("{:?}", change.kind), change.detail.clone(), cells.collect())
}

/// A list of accounts in an order of its own; any other cell as it is.
fn sorted(column: &str, cell: &str) -> String {
    if !TOOLS.contains(&column) {
        return cell.to_owned();
    }
    let mut tokens: Vec<&str> = cell.split("; ").collect();
    tokens.sort_unstable();
    tokens.join("; ")
}

/// What a draft must say of the edited rows.
fn expected(before: &[Person], rows: &[Person], lines: &[u64]) -> Vec<Told> {
    // A draft names users by the emails that they have, before and after.
    let had = emails(before);
    let mut names = had.clone();
    names.extend(emails(rows));
    let mut all = Vec::new();
    for (row, line) in rows.iter().zip(lines) {
        let mut after = cells(row, &names);
        let known = before.iter().find(|person| person.key == row.key);
        let mut was = known.map(|person| cells(person, &had)).unwrap_or_default();
        if known.is_some_and(|known| known.supervisor == row.supervisor) {
            was.remove("Supervisor");
            after.remove("Supervisor");
        }
        if let Some(known) = known.filter(|known| known.email != row.email)
            && rows.iter().all(|other| other.email != known.email)
        {
            after.insert("Further emails", known.email.clone());
        }
        was.remove("ID");
        after.remove("ID");
        let changed = after.into_iter().filter_map(|(column, after)| {
            let before = was.get(column).cloned().unwrap_or_default();
            (before != after).then(|| (column.to_owned(), [before, after]))
        });
        let changed: BTreeMap<String, [String; 2]> = changed.collect();
        let kind = if known.is_some() { ChangeKind::Updated } else { ChangeKind::Created };
        if !changed.is_empty() {
            all.push((Some(*line), format!("{kind:?}"), row.email.clone(), changed));
        }
    }
    for gone in before.iter().filter(|person| rows.iter().all(|row| row.key != person.key)) {
        let mut cells = cells(gone, &had);
        cells.remove("ID");
        let cells = cells.into_iter().filter(|(_, cell)| !cell.is_empty());
        let cells = cells.map(|(column, before)| (column.to_owned(), [before, String::new()])).collect();
        all.push((None, format!("{:?}", ChangeKind::Removed), gone.email.clone(), cells));
    }
    all.sort();
    all
}

/// The rows of an export by their emails, with formulas restored and without ids.
async fn exported(site: &Directory) -> BTreeMap<String, BTreeMap<String, String>> {
    let text = export(site).await;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let titles: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = reader.records().map(|record| {
        let record = record.unwrap();
        let cells = titles.iter().zip(record.iter()).filter(|(title, _)| *title != "ID");
        let cells: BTreeMap<String, String> =
            cells.map(|(title, cell)| (title.clone(), sorted(title, restore(cell)))).collect();
        (cells["Email"].clone(), cells)
    });
    rows.collect()
}

/// Makes the directory, and gives its users their ids.
async fn fill(site: &Site, people: &mut [Person]) {
    attribute(site, "Note", AttributeType::Text, &[]).await;
    attribute(site, "Size", AttributeType::Number, &[]).await;
    attribute(site, "Remote", AttributeType::Boolean, &[]).await;
    attribute(site, "Start", AttributeType::Date, &[]).await;
    attribute(site, "Teams", AttributeType::MultiSelect, &["Ops", "R&D"]).await;
    attribute(site, "Level", AttributeType::Select, &["Junior", "-Senior"]).await;
    attribute(site, "Home page", AttributeType::Url, &[]).await;
    attribute(site, "Private", AttributeType::Email, &[]).await;
    attribute(site, "Supervisor", AttributeType::User, &[]).await;
    let number = NewAttribute {
        title: "Number".into(),
        key: None,
        r#type: AttributeType::Text,
        description: String::new(),
        options: Vec::new(),
        is_required: false,
        is_unique: true,
        readable_by: None,
        position: None,
    };
    site.create_attribute(&me(), number).await.unwrap();
    let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
    integration(site, IntegrationKind::Jira, "Jira").await;
    // Jira has reported nothing yet.
    let reported = (0..people.len()).map(|key| account(&format!("g{key}"), &format!("own{key}"), "")).collect();
    site.sync_accounts(&me(), github, reported, SyncMode::Full).await.unwrap();
    let all: Vec<usize> = (0..TITLES.len()).collect();
    let report = import(site, written(people, &all).0, ImportOptions::default()).await;
    assert_eq!((problems(&report.errors), report.created), (vec![], people.len() as u64));
    for person in people {
        person.id = site.find_user(&person.email).unwrap().to_global();
    }
}

async fn check(site: &Site, case: &Case) -> Vec<Told> {
    let mut before = people(&case.drawn);
    fill(site, &mut before).await;
    let mut rows = edited(&before, &case.edits, case.mode);
    let order: BTreeMap<usize, u16> = rows.iter().map(|row| row.key).zip(case.rows.iter().copied()).collect();
    rows.sort_by_key(|row| order.get(&row.key).copied());
    let (content, lines) = written(&rows, &case.columns);
    let options = || ImportOptions { mode: case.mode, ..ImportOptions::default() };
    let drafted = draft(site, &content, options()).await;
    let report = drafted.report.clone().unwrap();
    assert_eq!((report.errors, report.bad_rows), (0, 0), "{}", String::from_utf8_lossy(&content));
    let mut says: Vec<Told> = changes(site, &drafted).await.iter().map(told).collect();
    says.sort();
    assert_eq!(says, expected(&before, &rows, &lines), "{}", String::from_utf8_lossy(&content));
    apply(site, &drafted).await.unwrap();
    let emails = emails(&rows);
    let wanted = rows.iter().map(|row| {
        let mut cells = cells(row, &emails);
        cells.remove("ID");
        (row.email.clone(), cells.into_iter().map(|(title, cell)| (title.to_owned(), cell)).collect())
    });
    assert_eq!(exported(site).await, wanted.collect(), "the export is as the file says");
    let same = draft(site, &content, options()).await;
    assert_eq!(changes(site, &same).await, [], "the same file again changes nothing");
    says
}

/// Applies the rows of a draft that can be, whomever it removes.
async fn apply(site: &Directory, draft: &Draft) -> Result<Draft, Error> {
    let confirm_removals = draft.report.as_ref().unwrap().removals_to_confirm;
    site.apply_draft(&me(), draft.row.id, ApplyOptions { valid_rows: true, confirm_removals }).await
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_draft_says_exactly_what_was_edited_and_does_that(case in case()) {
        on_sqlite(async |site: &Site| check(site, &case).await);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn a_draft_says_the_same_on_both_databases(case in case()) {
        on_both(async |site: &Site| check(site, &case).await);
    }
}

/// What somebody else does between a draft and its application.
#[derive(Clone, Debug)]
enum Meanwhile {
    Nothing,
    Rename(&'static str),
    Delete(&'static str),
    Set(&'static str, &'static str, &'static str),
    Add(&'static str),
    Link(&'static str, &'static str),
}

fn meanwhile() -> impl Strategy<Value = Meanwhile> {
    let who = || prop::sample::select(vec!["ann@corp.example", "bob@corp.example", "cy@corp.example"]);
    let value = prop::sample::select(vec![("level", "Junior"), ("department", "Data")]);
    let new = prop::sample::select(vec!["di@corp.example", "ed@corp.example", "zoe@corp.example"]);
    prop_oneof![
        1 => Just(Meanwhile::Nothing),
        2 => who().prop_map(Meanwhile::Rename),
        2 => who().prop_map(Meanwhile::Delete),
        2 => (who(), value).prop_map(|(who, (key, value))| Meanwhile::Set(who, key, value)),
        1 => Just(Meanwhile::Set("ann@corp.example", "number", "7")),
        2 => new.prop_map(Meanwhile::Add),
        2 => (who(), prop::sample::select(vec!["g1", "g2"])).prop_map(|(who, account)| Meanwhile::Link(who, account)),
    ]
}

async fn happen(site: &Site, what: &Meanwhile) {
    let id = |email: &str| site.find_user(email).unwrap();
    match what {
        Meanwhile::Nothing => {}
        Meanwhile::Rename(who) => {
            let change = UserChange { name: Some("Renamed".into()), ..UserChange::default() };
            site.update_user(&me(), id(who), change).await.unwrap();
        }
        Meanwhile::Delete(who) => {
            site.delete_user(&me(), id(who), None).await.unwrap();
        }
        Meanwhile::Set(who, key, value) => {
            let attributes = vec![((*key).to_owned(), json!(value))];
            site.update_user(&me(), id(who), UserChange { attributes, ..UserChange::default() }).await.unwrap();
        }
        Meanwhile::Add(who) => {
            user(site, "Somebody else", who, json!({ "cost_centre": "C9" })).await;
        }
        Meanwhile::Link(who, account) => {
            let github = site.find_integration("GitHub").unwrap();
            let found = site.index().resolve(github, AccountBy::ExternalId(account)).unwrap();
            site.link_account(&me(), found.account, id(who), None).await.unwrap();
        }
    }
}

/// What became of users between two exports, without accounts that went to somebody else: who, and which columns.
fn became(
    before: &BTreeMap<String, BTreeMap<String, String>>,
    after: &BTreeMap<String, BTreeMap<String, String>>,
) -> BTreeMap<String, BTreeSet<(String, String)>> {
    let everybody: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let one = |email: &String| match (before.get(email), after.get(email)) {
        (_, None) => [("gone".to_owned(), String::new())].into(),
        (was, Some(is)) => is
            .iter()
            .filter(|(title, cell)| was.and_then(|was| was.get(*title)).map_or("", String::as_str) != cell.as_str())
            .map(|(title, cell)| (title.clone(), cell.clone()))
            .collect::<BTreeSet<_>>(),
    };
    let all = everybody.into_iter().map(|email| (email.clone(), one(email)));
    all.filter(|(_, changed)| !changed.is_empty()).collect()
}

/// A file, and what happens between its draft and the application of that.
#[derive(Clone, Debug)]
struct Happenings {
    rows: Vec<String>,
    replace: bool,
    meanwhile: Vec<Meanwhile>,
}

fn happenings() -> impl Strategy<Value = Happenings> {
    let rows = prop::collection::vec(row(), 1..6);
    let meanwhile = prop::collection::vec(meanwhile(), 0..3);
    let happenings = (rows, any::<bool>(), meanwhile);
    happenings.prop_map(|(rows, replace, meanwhile)| Happenings { rows, replace, meanwhile })
}

/// Whether the draft was applied.
async fn check_meanwhile(site: &Site, happenings: &Happenings) -> bool {
    directory(site).await;
    let mode = if happenings.replace { ImportMode::Replace } else { ImportMode::Merge };
    let content = format!("Name,Email,Supervisor,Level,Number,Cost centre,GitHub\n{}", happenings.rows.concat());
    let drafted = draft(site, &content, ImportOptions { mode, ..ImportOptions::default() }).await;
    let mut says: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for change in changes(site, &drafted).await {
        let cells = change.cells.into_iter().filter(|cell| cell.column != "Further emails");
        let cells = match change.kind {
            ChangeKind::Removed | ChangeKind::Absorbed => [("gone".to_owned(), String::new())].into(),
            ChangeKind::Created | ChangeKind::Updated => {
                cells.map(|cell| (cell.column.clone(), sorted(&cell.column, &cell.after.unwrap_or_default()))).collect()
            }
        };
        says.insert(change.detail, cells);
    }
    let mut done = BTreeSet::new();
    for what in &happenings.meanwhile {
        // The same twice is not possible.
        if done.insert(format!("{what:?}")) && is_possible(site, what) {
            happen(site, what).await;
        }
    }
    let before = (state(site).await, exported(site).await);
    match apply(site, &drafted).await {
        Ok(_) => {
            let mut became = became(&before.1, &exported(site).await);
            // An account goes from a user without a row; the draft says so where it goes to.
            became.retain(|email, cells| {
                says.contains_key(email) || cells.iter().any(|(title, cell)| title != "GitHub" || !cell.is_empty())
            });
            assert_eq!(became, says, "what it does is what it said\n{content}");
            true
        }
        Err(Error::Moved { count, moved, .. }) => {
            assert!(count > 0 && !moved.is_empty(), "a refusal says what is different");
            assert!(!done.is_empty());
            assert_eq!(state(site).await, before.0, "a refused draft changes nothing");
            false
        }
        Err(other) => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_draft_does_what_it_says_whatever_has_happened_or_is_refused(happenings in happenings()) {
        on_sqlite(async |site: &Site| check_meanwhile(site, &happenings).await);
    }
}

/// Tries as many random drafts of both kinds, on both databases.
pub(crate) fn try_many(cases: u32) {
    let run = || TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() });
    let edits = run().run(&case(), |case| {
        on_both(async |site: &Site| check(site, &case).await);
        Ok(())
    });
    edits.unwrap();
    let meanwhile = run().run(&happenings(), |happenings| {
        on_both(async |site: &Site| check_meanwhile(site, &happenings).await);
        Ok(())
    });
    meanwhile.unwrap();
}

fn is_possible(site: &Site, what: &Meanwhile) -> bool {
    match what {
        Meanwhile::Nothing => true,
        Meanwhile::Rename(who) | Meanwhile::Delete(who) | Meanwhile::Set(who, ..) | Meanwhile::Link(who, _) => {
            site.find_user(who).is_ok()
        }
        Meanwhile::Add(who) => site.find_user(who).is_err(),
    }
}
