//! What the index answers in process, on the directory as it is loaded from the database.

use std::hint::black_box;
use std::time::Instant;

use entity::OrgUnitId;
use roster::directory::{Directory, OrgUnitDraft};
use roster::filter::Filter;
use roster::index::{AccountBy, Order, OrderBy, Window};
use sea_orm::{ConnectionTrait, Statement};

use crate::Place;
use crate::data::{ATTRIBUTES, broad_roles, draw, is, open, three_conditions};
use crate::process::{run, say};
use crate::table::Table;

/// What later comparisons take from here.
pub(crate) struct Answers {
    /// The cursor before page 10,000.
    pub(crate) deep_cursor: String,
    /// Median milliseconds of a preview.
    pub(crate) preview: f64,
    /// Median milliseconds of counting a filter that a third of the users pass.
    pub(crate) broad: f64,
}

const BY_NAME: Order = Order { by: OrderBy::Name, descending: false };

/// Milliseconds that each of many runs takes, in ascending order.
fn times(runs: u64, mut run: impl FnMut(u64)) -> Vec<f64> {
    let mut times: Vec<f64> = (0..runs)
        .map(|number| {
            let at = Instant::now();
            run(number);
            at.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times
}

fn say_times(name: &str, times: &[f64]) {
    say(&format!("{name}.p50"), times[times.len() / 2]);
    say(&format!("{name}.p99"), times[times.len() * 99 / 100]);
}

fn filter(json: serde_json::Value) -> Filter {
    serde_json::from_value(json).unwrap()
}

/// The preview of a filter that is not saved: its count, its first page, and who comes and goes.
fn preview(directory: &Directory, saved: OrgUnitId, number: u64) {
    let draft = OrgUnitDraft {
        id: Some(saved),
        filter: Some(Some(filter(three_conditions(number)))),
        ..OrgUnitDraft::default()
    };
    let preview = directory.preview_org_unit(draft).unwrap();
    let window = Window { first: Some(50), ..Window::default() };
    let page = directory.index().page(&preview.members, &BY_NAME, &window).unwrap();
    black_box((preview.members.len(), preview.added.len(), preview.removed.len(), page));
}

/// Measures, in a process of its own.
pub(crate) async fn measure(url: &str) {
    let directory = open(url).await;
    let users = directory.index().user_count();
    let units: Vec<OrgUnitId> = directory.index().org_units().map(|unit| unit.row.id).collect();
    let saved = directory.index().org_unit_at(&["Unit 1"]).unwrap().row.id;
    say_times("preview", &times(2_000, |number| preview(&directory, saved, number)));
    let broad = filter(is("role", &serde_json::json!({"in": broad_roles()})));
    say_times("broad", &times(200, |_| _ = black_box(directory.select(Some(&broad)).unwrap().len())));
    say_times("units", &times(20, |_| drop(black_box(directory.index().member_counts(&units)))));
    let members = directory.select(Some(&filter(three_conditions(1)))).unwrap();
    say("members", members.len());
    let many = directory.select(Some(&broad)).unwrap();
    say("many", many.len());
    for (name, members) in [("facets", &members), ("facets of many", &many)] {
        say_times(
            name,
            &times(50, |_| {
                for (title, _) in ATTRIBUTES {
                    let key = title.to_lowercase().replace(' ', "_");
                    black_box(directory.index().facets(members, &key).unwrap().expect("an attribute"));
                }
            }),
        );
    }
    resolve(&directory).await;
    let deep = Window { first: Some(usize::try_from(users / 2).unwrap()), ..Window::default() };
    let everybody = directory.index().everybody();
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
    let both = |name: &str| (said.number(&format!("{name}.p50")), said.number(&format!("{name}.p99")));
    let (preview, p99) = both("preview");
    table.row(
        "preview of an unsaved filter of three conditions: count, first page, added and removed",
        "p99 <= 5 ms in process",
        format!("median {preview:.2} ms, p99 {p99:.2} ms"),
        p99 <= 5.0,
    );
    let (units, p99) = both("units");
    table.row(
        "member counts of 1,000 org units",
        "<= 100 ms",
        format!("median {units:.1} ms, p99 {p99:.1} ms"),
        units <= 100.0,
    );
    for (name, members) in [("facets", said.number("members")), ("facets of many", said.number("many"))] {
        let (facets, p99) = both(name);
        table.row(
            format!("facets of 8 attributes under a filter with {members:.0} members"),
            "<= 20 ms",
            format!("median {facets:.1} ms, p99 {p99:.1} ms"),
            facets <= 20.0,
        );
    }
    let (resolve, p99) = both("resolve");
    table.row(
        "resolve 1,000 accounts to users",
        "<= 10 ms in process",
        format!("median {resolve:.2} ms, p99 {p99:.2} ms"),
        p99 <= 10.0,
    );
    Answers { deep_cursor: said.text("cursor").to_owned(), preview, broad: both("broad").0 }
}
