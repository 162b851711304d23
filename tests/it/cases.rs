//! Cases: files of GraphQL operations under `tests/cases/<noun>/`, each with a snapshot of what came of them.
//!
//! A file begins with `# cast: acme`, which fills the directory with the cast, or `# cast: nobody`. Operations stand
//! between lines `---` and run in order, over HTTP, on SQLite and PostgreSQL, which must answer alike. Above an operation
//! may stand `# variables: {…}` and, for one that takes the variable `file`, `# file: "…"`. `{{two_teams}}` is the id of
//! a record of the cast, and `{{/data/users/pageInfo/endCursor}}` what the operation before answered there. The snapshot
//! has status, statements and answer. A new case needs a file here, and no Rust.

use std::path::{Path, PathBuf};

use roster::index::AccountBy;
use roster::value::GlobalId;
use serde_json::Value as Json;

use crate::support::{Cast, Server, Site, cast, on_both};

#[test]
fn every_case_answers_as_its_snapshot_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases = files(&root);
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "graphql"));
    cases.sort();
    assert!(cases.len() >= 25, "the cases are in {}", root.display());
    let mut different = Vec::new();
    for path in &cases {
        let outcome = std::panic::catch_unwind(|| check(path));
        if outcome.is_err() {
            different.push(path.strip_prefix(&root).unwrap().display().to_string());
        }
    }
    assert!(different.is_empty(), "these cases answer otherwise: {}", different.join(", "));
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn check(path: &Path) {
    eprintln!("case {}", path.display());
    let text = std::fs::read_to_string(path).unwrap();
    let answers = on_both(async |site: &Site| run(site, &text).await);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(path.parent().unwrap());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(path.file_stem().unwrap().to_str().unwrap(), answers));
}

/// Runs the operations of a file, and gives what came of each.
async fn run(site: &Site, text: &str) -> String {
    let (head, rest) = text.split_once('\n').unwrap();
    let cast = match head {
        "# cast: acme" => Some(cast(site).await),
        "# cast: nobody" => None,
        other => panic!("`{other}` names no cast"),
    };
    let server = Server::new(site);
    let mut previous = Json::Null;
    let mut answers = Vec::new();
    for operation in rest.split("\n---\n") {
        let operation = fill(site, operation, cast.as_ref(), &previous);
        let said = |name: &str| {
            let line = operation.lines().find_map(|line| line.strip_prefix(&format!("# {name}: ")));
            line.map(|line| serde_json::from_str::<Json>(line).unwrap())
        };
        let (variables, file) = (said("variables").unwrap_or_default(), said("file"));
        let reply = server.execute(&operation, variables, file.as_ref().and_then(Json::as_str)).await;
        previous = reply.json();
        let json = serde_json::to_string_pretty(&previous).unwrap();
        answers.push(format!("{}, {} statements\n{json}\n", reply.status, reply.statements));
    }
    answers.join("---\n")
}

/// The text with what stands for ids and earlier answers filled in.
pub(crate) fn fill(site: &Site, text: &str, cast: Option<&Cast>, previous: &Json) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        // Two braces that open a selection or an object are not followed by a name and two that close.
        let (name, after) = match after.split_once("}}") {
            Some((name, after)) if name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_:".contains(&b)) => {
                (name, after)
            }
            _ => {
                filled += &format!("{before}{{{{");
                rest = after;
                continue;
            }
        };
        let value = match name.strip_prefix('/') {
            Some(_) => previous.pointer(name).unwrap_or_else(|| panic!("no {name} in {previous}")).clone(),
            None => Json::String(id(site, cast.unwrap(), name)),
        };
        filled += before;
        filled += &value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        rest = after;
    }
    filled + rest
}

/// The id of a record of the cast: by its name, `attribute:KEY`, or `account:INTEGRATION:EXTERNALID`.
fn id(site: &Site, cast: &Cast, name: &str) -> String {
    if let Some(key) = name.strip_prefix("attribute:") {
        return site.attribute(key).unwrap().id.to_global();
    }
    if let Some((integration, external_id)) = name.strip_prefix("account:").and_then(|name| name.split_once(':')) {
        let integration = site.find_integration(integration).unwrap();
        let found = site.index().resolve(integration, AccountBy::ExternalId(external_id));
        return found.unwrap().account.to_global();
    }
    match name {
        "two_teams" => cast.two_teams.to_global(),
        "no_email" => cast.no_email.to_global(),
        "umlaut" => cast.umlaut.to_global(),
        "percent" => cast.percent.to_global(),
        "formula" => cast.formula.to_global(),
        "quote" => cast.quote.to_global(),
        "empty" => cast.empty.to_global(),
        "detected" => cast.detected.to_global(),
        "jira" => cast.jira.to_global(),
        "github" => cast.github.to_global(),
        "slack" => cast.slack.to_global(),
        "engineering" => cast.engineering.to_global(),
        "platform" => cast.platform.to_global(),
        "guests" => cast.guests.to_global(),
        other => panic!("nobody in the cast is {other}"),
    }
}
