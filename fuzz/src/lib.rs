//! What holds of any bytes that a client sends: one function for each reader of them. Fuzzing calls them with what it makes up,
//! and a test with the corpus and with damaged pieces of it.

use std::io::Cursor;
use std::sync::{Arc, OnceLock};

use async_graphql::parser::parse_query;
use async_graphql::{Response, Variables};
use axum::body::Body;
use chrono::DateTime;
use clap::Parser;
use entity::attribute::{self, AttributeType};
use entity::{AttributeId, OrgUnitId, UserId};
use http_body_util::BodyExt;
use roster::access::secret::{TokenHash, TokenSecret};
use roster::access::{Bearer, Denied};
use roster::config::Config;
use roster::directory::csv::{Encoding, Limits, Options, Reader, Row, Style, Writer};
use roster::directory::{DecisionPlace, SuggestionPlace};
use roster::filter::text::{Names, complete, parse, print};
use roster::filter::{Catalogue, check};
use roster::graphql::guard;
use roster::http::router::router;
use roster::http::{AppState, Backend, Begin, Refused};
use roster::index::{FacetCursor, Order, OrderBy};
use tower::ServiceExt;
use uuid::Uuid;

/// A file of users. The first byte says how it is declared.
pub fn csv(bytes: &[u8]) {
    let Some((&declared, file)) = bytes.split_first() else { return };
    let limits = Limits { record: 4_096, cell: 512, columns: 16, bytes: 1 << 16, rows: 500 };
    let encoding = match declared & 3 {
        1 => Some(Encoding::Windows1252),
        _ => None,
    };
    let delimiter = (declared & 4 != 0).then_some(b';');
    let options = Options { encoding, delimiter, raw: declared & 8 != 0, limits };
    let Ok(mut reader) = Reader::open(Cursor::new(file.to_vec()), options) else { return };
    let width = reader.header().len();
    assert!((1..=limits.columns).contains(&width));
    let title = |place: usize| format!("c{place}");
    let titles: Vec<String> = (0..width).map(title).collect();
    let style = Style { raw: options.raw, ..Style::default() };
    let mut copy = Writer::open(Vec::new(), style, titles.iter().map(String::as_str)).expect("memory takes all");
    let (mut row, mut line, mut rows) = (Row::default(), reader.header().line(), Vec::new());
    loop {
        match reader.next(&mut row) {
            Ok(false) => break,
            Ok(true) => {
                assert!(row.line() > line, "rows begin on lines of their own");
                line = row.line();
                assert_eq!(row.len(), width);
                assert!(row.cells().all(|cell| cell.len() <= limits.cell));
                rows.push(row.cells().map(str::to_owned).collect::<Vec<_>>());
                copy.write_row(row.cells()).expect("memory takes all");
            }
            Err(problem) => assert!(!problem.code.is_empty() && !problem.message.is_empty() && problem.line > 0),
        }
        assert!(rows.len() as u64 <= limits.rows);
    }
    // What was read is written so that it is read the same.
    let copy = copy.finish().expect("memory takes all");
    let options = Options { raw: options.raw, delimiter: Some(b','), ..Options::default() };
    let mut reader = Reader::open(Cursor::new(copy), options).expect("our own file");
    for cells in &rows {
        assert!(reader.next(&mut row).expect("our own row"));
        assert!(row.cells().eq(cells.iter().map(String::as_str)), "{cells:?}");
    }
    assert!(!reader.next(&mut row).expect("our own end"));
}

fn attributes() -> &'static [Arc<attribute::Model>] {
    static KNOWN: OnceLock<Vec<Arc<attribute::Model>>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let known = [
            ("name", AttributeType::Text),
            ("email", AttributeType::Email),
            ("integration", AttributeType::Integration),
            ("level", AttributeType::Number),
            ("start", AttributeType::Date),
            ("manager", AttributeType::User),
            ("skills", AttributeType::MultiSelect),
            ("role", AttributeType::Select),
            ("remote", AttributeType::Boolean),
            ("not", AttributeType::Text),
        ];
        let attribute = |(number, (key, r#type)): (u128, (&str, AttributeType))| {
            Arc::new(attribute::Model {
                id: AttributeId(Uuid::from_u128(number)),
                is_built_in: number < 3,
                key: key.to_owned(),
                title: key.to_owned(),
                title_key: key.to_owned(),
                description: String::new(),
                r#type,
                options: serde_json::json!(["Rust", "Go"]),
                is_required: false,
                is_unique: false,
                position: 0,
                readable_by: None,
                version: 1,
                created_at: DateTime::UNIX_EPOCH,
                updated_at: DateTime::UNIX_EPOCH,
            })
        };
        (0..).zip(known).map(attribute).collect()
    })
}

/// A filter as text. The first two bytes say where the cursor is that completions are asked for.
pub fn filter(bytes: &[u8]) {
    let Some((place, text)) = bytes.split_first_chunk::<2>() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let has_unit = |id: OrgUnitId| id.0 == Uuid::from_u128(1);
    let ann = |reference: &str| (reference == "ann@corp.example").then_some(UserId(Uuid::from_u128(1)));
    let catalogue = Catalogue {
        attributes: attributes(),
        integrations: &[],
        has_org_unit: &has_unit,
        find_user: &ann,
        today: DateTime::UNIX_EPOCH.date_naive(),
    };
    let names = Names {
        catalogue: &catalogue,
        org_unit_at: &|path| (path == "Platform").then_some(OrgUnitId(Uuid::from_u128(1))),
        path_of: &|id| has_unit(id).then(|| "Platform".to_owned()),
        nearest_path: &|_| None,
        email_of: &|id| (id.0 == Uuid::from_u128(1)).then(|| "ann@corp.example".to_owned()),
    };
    let cursor = usize::from(u16::from_le_bytes(*place)).min(text.len());
    for found in complete(text, cursor, &names, &|_, _, _| Vec::new(), 20) {
        assert!(text.is_char_boundary(found.replaces.start) && text.is_char_boundary(found.replaces.end));
    }
    let read = match parse(text, &names) {
        Ok(read) => read.filter,
        Err(wrong) => {
            assert!(text.get(wrong.span.clone()).is_some(), "{wrong:?}");
            assert!(wrong.line >= 1 && wrong.column >= 1 && !wrong.message.is_empty());
            return;
        }
    };
    let printed = print(&read, &names).expect("what was read can be written");
    let again = parse(&printed, &names).expect("what was written can be read").filter;
    assert_eq!(print(&again, &names).as_ref(), Some(&printed), "there is one way to write it");
    if check(&read, &catalogue).is_ok() {
        assert!(check(&again, &catalogue).is_ok(), "{printed}");
    }
}

/// A cursor.
pub fn cursor(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for by in [OrderBy::Name, OrderBy::Email, OrderBy::Created, OrderBy::Attribute("level".to_owned())] {
        let order = Order { by, descending: false };
        if let Ok(cursor) = roster::index::Cursor::decode(text, &order) {
            assert_eq!(roster::index::Cursor::decode(&cursor.encode(), &order), Ok(cursor));
        }
    }
    if let Some(cursor) = FacetCursor::decode(text, "level") {
        assert_eq!(FacetCursor::decode(&cursor.encode(), "level"), Some(cursor));
    }
    if let Some(place) = SuggestionPlace::decode(text) {
        assert_eq!(SuggestionPlace::decode(&place.encode()), Some(place));
    }
    if let Some(place) = DecisionPlace::decode(text) {
        assert_eq!(DecisionPlace::decode(&place.encode()), Some(place));
    }
}

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    config: Config,
}

fn config() -> &'static Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    CONFIG.get_or_init(|| Flags::parse_from(["fuzz", "--auth", "none"]).config)
}

/// A GraphQL document.
pub fn guard(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let limits = &config().limits;
    let Ok(document) = parse_query(text) else { return };
    match guard::check(&document, &Variables::default(), limits) {
        Ok(measure) => {
            assert!(measure.depth <= limits.max_depth && measure.fields <= limits.max_fields);
            assert!(measure.cost <= limits.max_cost && measure.aliases <= limits.max_aliases);
        }
        Err(refusals) => assert!(!refusals.is_empty()),
    }
}

/// The header `Authorization`.
pub fn token(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(bearer) = Bearer::read(text) else { return };
    let secret = bearer.expose();
    assert!(!secret.is_empty() && !secret.contains(char::is_whitespace), "{secret:?}");
    if TokenHash::of(secret).is_some() {
        let ours = TokenSecret::generate().expect("random numbers");
        assert!(secret.len() == ours.expose().len() && secret.is_ascii());
    }
}

/// A multipart body whose boundary is `b`.
pub fn multipart(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = folder.path().join("spool");
    let none: Begin = Arc::new(|_, _| {
        Box::pin(async { Err(Refused { code: "NOT_FOUND", message: "there is no such file".to_owned() }) })
    });
    let backend = Backend {
        authenticate: Arc::new(|_| Box::pin(async { Err(Denied::unauthenticated("nobody is known")) })),
        permit: Arc::new(|_, _, _| Ok(())),
        execute: Arc::new(|_, _| Box::pin(async { Response::default() })),
        subscribe: Arc::new(|_, _| unreachable!("no body of parts subscribes")),
        ready: Arc::new(|| Box::pin(async { true })),
        measure: Arc::new(|| Box::pin(async { None })),
        users_csv: none.clone(),
        org_units_csv: none.clone(),
        import_errors_csv: none.clone(),
        unmatched_accounts_csv: none,
    };
    let request = http::Request::post("/graphql")
        .header("content-type", "multipart/form-data; boundary=b")
        .header("graphql-require-preflight", "1")
        .body(Body::from(bytes.to_vec()))
        .expect("a request");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let state = AppState::new(backend, config(), spool.clone()).expect("a folder");
        let reply = router(state).oneshot(request).await.expect("a reply to everything");
        let status = reply.status();
        assert!(status.is_success() || status.is_client_error(), "{status}");
        let body = reply.into_body().collect().await.expect("a whole reply").to_bytes();
        serde_json::from_slice::<serde_json::Value>(&body).expect("JSON");
    });
    assert_eq!(std::fs::read_dir(&spool).expect("the folder").count(), 0, "a file is left");
}
