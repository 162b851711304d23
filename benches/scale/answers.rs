//! What the index answers in process, on the directory as it is loaded from the database.

use std::hint::black_box;
use std::time::Instant;

use entity::OrgUnitId;
use roster::directory::{Directory, ExplainedBy, OrgUnitDraft, OrgUnitPreview, UserChange};
use roster::filter::Filter;
use roster::index::{AccountBy, FacetWindow, Order, OrderBy, Window};
use sea_orm::{ConnectionTrait, Statement};

use crate::Place;
use crate::data::{broad_roles, draw, is, keys, me, open, three_conditions, with_units};
use crate::process::{Said, run, say};
use crate::table::Table;

/// A row of the table: what [`measure`] says its times under, the work, the most milliseconds it may take, and whether
/// that is the 99th percentile rather than the median.
struct Row(&'static str, &'static str, f64, bool);

const ROWS: [Row; 15] = [
    Row("preview", "preview of an unsaved filter of three conditions: count, first page, added and removed", 5.0, true),
    Row("conditions", "the same preview, with what each condition selects and excludes", 10.0, true),
    Row(
        "completion",
        "completion of a filter: a name, an operator, a value, and a value of which each user has another",
        2.0,
        true,
    ),
    Row("explain", "why a user is a member of an org unit within another, with the values seen", 1.0, false),
    Row("seen", "a change of another process: from its commit until it is in a count here", 10.0, false),
    Row("units", "member counts of 1,000 org units", 100.0, false),
    Row("units of many", "member counts of 10,000 org units", 1_000.0, false),
    Row("tree", "the whole tree of 1,000 org units, with distinct users below each", 100.0, false),
    Row("tree of many", "the whole tree of 10,000 org units, with distinct users below each", 1_000.0, false),
    Row("unassigned", "users in none of 10,000 org units", 1_000.0, false),
    Row("facets", "facets of 8 attributes under a filter of three conditions", 20.0, false),
    Row("facets of many", "facets of 8 attributes under a filter that a third of the users pass", 20.0, false),
    Row("facets of all", "facets of 8 attributes of everybody", 20.0, false),
    Row("search", "values of an attribute with a value for each user, found by a text, under that filter", 20.0, false),
    Row("resolve", "resolve 1,000 accounts to users", 10.0, true),
];

/// What later comparisons take from here.
pub(crate) struct Answers {
    /// The cursor before page 10,000.
    pub(crate) deep_cursor: String,
    said: Said,
}

impl Answers {
    /// Median milliseconds of what was measured under a name.
    pub(crate) fn median(&self, name: &str) -> f64 {
        self.said.number(&format!("{name}.p50"))
    }
}

const BY_NAME: Order = Order { by: OrderBy::Name, descending: false };

/// Milliseconds that each of many runs takes, in ascending order.
fn times(runs: u64, mut run: impl FnMut(u64)) -> Vec<f64> {
    let time = |number| {
        let at = Instant::now();
        run(number);
        at.elapsed().as_secs_f64() * 1e3
    };
    in_order((0..runs).map(time).collect())
}

fn say_times(name: &str, times: &[f64]) {
    say(&format!("{name}.p50"), times[times.len() / 2]);
    say(&format!("{name}.p99"), times[times.len() * 99 / 100]);
}

fn filter(json: serde_json::Value) -> Filter {
    serde_json::from_value(json).unwrap()
}

/// The preview of a filter that is not saved: its count, its first page, and who comes and goes.
fn preview(directory: &Directory, saved: OrgUnitId, number: u64) -> OrgUnitPreview {
    let draft = OrgUnitDraft {
        id: Some(saved),
        filter: Some(Some(filter(three_conditions(number)))),
        ..OrgUnitDraft::default()
    };
    let preview = directory.preview_org_unit(draft).unwrap();
    let window = Window { first: Some(50), ..Window::default() };
    let (members, added, removed) = (preview.members().unwrap(), preview.added().unwrap(), preview.removed().unwrap());
    let page = directory.index().page(&members, &BY_NAME, &window).unwrap();
    black_box((members.len(), added.len(), removed.len(), page));
    preview
}

fn in_order(mut times: Vec<f64>) -> Vec<f64> {
    times.sort_by(f64::total_cmp);
    times
}

/// Filters that are being written, with the cursor at their end.
async fn completions(directory: &Directory) -> Vec<f64> {
    let texts =
        ["dep", "department ", "role eq \"role 1", "department eq \"Department 3\" and employee_number eq \"e00"];
    let mut times = Vec::new();
    for number in 0..400 {
        let text = texts[number % texts.len()];
        let at = Instant::now();
        let found = directory.complete_filter(text, text.len(), 25).await.unwrap();
        times.push(at.elapsed().as_secs_f64() * 1e3);
        assert!(!found.is_empty(), "nothing is offered after `{text}`");
    }
    in_order(times)
}

async fn explanations(directory: &Directory, unit: OrgUnitId) -> Vec<f64> {
    let window = Window { first: Some(1_000), ..Window::default() };
    let page = directory.index().page(&directory.index().everybody(), &BY_NAME, &window).unwrap();
    let mut times = Vec::new();
    for (user, _) in &page.ids {
        let at = Instant::now();
        black_box(directory.explain_membership(*user, &ExplainedBy::OrgUnit(unit)).await.unwrap());
        times.push(at.elapsed().as_secs_f64() * 1e3);
    }
    in_order(times)
}

/// Changes users by a second directory over the same database, which shares nothing with the first but that.
async fn sightings(directory: &Directory, url: &str) -> Vec<f64> {
    let other = open(url).await;
    let window = Window { first: Some(100), ..Window::default() };
    let page = directory.index().page(&directory.index().everybody(), &BY_NAME, &window).unwrap();
    let mut times = Vec::new();
    for (number, (user, _)) in page.ids.iter().enumerate() {
        let role = serde_json::json!(format!("Seen {number}"));
        let change = UserChange { attributes: vec![("role".to_owned(), role.clone())], ..UserChange::default() };
        other.update_user(&me(), *user, change).await.unwrap();
        let at = Instant::now();
        directory.refresh().await.unwrap();
        let seen = directory.select(Some(&filter(is("role", &serde_json::json!({"equals": role}))))).unwrap();
        times.push(at.elapsed().as_secs_f64() * 1e3);
        assert_eq!(seen.len(), 1);
    }
    in_order(times)
}

/// Measures, in a process of its own.
pub(crate) async fn measure(url: &str) {
    let directory = open(url).await;
    let users = directory.index().user_count();
    let units: Vec<OrgUnitId> = directory.index().org_units().map(|unit| unit.row.id).collect();
    let saved = directory.index().org_unit_at(&["Unit 1"]).unwrap().row.id;
    say_times("preview", &times(2_000, |number| drop(preview(&directory, saved, number))));
    say_times("conditions", &times(2_000, |number| drop(black_box(preview(&directory, saved, number).conditions()))));
    say_times("completion", &completions(&directory).await);
    say_times("explain", &explanations(&directory, saved).await);
    say_times("seen", &sightings(&directory, url).await);
    let broad = filter(is("role", &serde_json::json!({"in": broad_roles()})));
    say_times("broad", &times(200, |_| _ = black_box(directory.select(Some(&broad)).unwrap().len())));
    say_times("units", &times(20, |_| drop(black_box(directory.index().member_counts(&units)))));
    say_times("tree", &times(20, |_| drop(black_box(directory.index().org_unit_tree(None)))));
    let many = with_units(&directory, 10_000);
    let units: Vec<OrgUnitId> = many.org_units().map(|unit| unit.row.id).collect();
    say_times("units of many", &times(10, |_| drop(black_box(many.member_counts(&units)))));
    say_times("tree of many", &times(10, |_| drop(black_box(many.org_unit_tree(None)))));
    say_times("unassigned", &times(10, |_| drop(black_box(many.unassigned(None)))));
    drop(many);
    let members = directory.select(Some(&filter(three_conditions(1)))).unwrap();
    let many = directory.select(Some(&broad)).unwrap();
    let everybody = directory.index().everybody();
    let window = FacetWindow { limit: 25, ..FacetWindow::ALL };
    for (name, members) in [("facets", &members), ("facets of many", &many), ("facets of all", &everybody)] {
        let count = |key: &String| _ = black_box(directory.index().facets(members, key, &window).unwrap().unwrap());
        say_times(name, &times(50, |_| keys().iter().for_each(count)));
    }
    let found = FacetWindow { search: Some("345"), ..window };
    say_times("search", &times(50, |_| drop(black_box(directory.index().facets(&many, "employee_number", &found)))));
    resolve(&directory).await;
    let deep = Window { first: Some(usize::try_from(users / 2).unwrap()), ..Window::default() };
    let page = directory.index().page(&everybody, &BY_NAME, &deep).unwrap();
    say("cursor", page.ids.last().unwrap().1.encode());
}

/// A thousand accounts by their external ids.
async fn resolve(directory: &Directory) {
    let database = directory.database();
    let sql = "SELECT external_id FROM integration_account ORDER BY id LIMIT 30000";
    let rows = database.readers().query_all_raw(Statement::from_string(database.backend(), sql)).await.unwrap();
    let known: Vec<String> = rows.iter().map(|row| row.try_get("", "external_id").unwrap()).collect();
    let integrations = directory.index().integrations();
    say_times(
        "resolve",
        &times(100, |round| {
            let index = directory.index();
            for number in 0..1_000 {
                let place = draw(round, number, known.len() as u64);
                let external_id = AccountBy::ExternalId(&known[usize::try_from(place).unwrap()]);
                let integration = &integrations[usize::try_from(number % 3).unwrap()];
                black_box(index.resolve(integration.id, external_id));
            }
        }),
    );
}

/// Measures, and puts the outcome into the table.
pub(crate) fn tell(table: &mut Table, place: &Place) -> Answers {
    let said = run(&["answers", &place.url]);
    for Row(name, work, target, is_p99) in ROWS {
        let [median, p99] = ["p50", "p99"].map(|of| said.number(&format!("{name}.{of}")));
        let (of, reached) = if is_p99 { ("p99", p99) } else { ("median", median) };
        let measured = format!("median {median:.2} ms, p99 {p99:.2} ms");
        table.row(work, &format!("{of} <= {target} ms in process"), measured, reached <= target);
    }
    Answers { deep_cursor: said.text("cursor").to_owned(), said }
}
