//! What is promised in writing: the schema, the codes, the settings, and how the code is arranged.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use roster::graphql::sdl;

use crate::support::{Home, repository};

/// A file of the repository: where it is, and its text.
struct File {
    path: String,
    text: String,
}

impl File {
    /// Whether it has nothing but tests.
    fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs") || self.path.starts_with("tests/")
    }

    /// The text up to the module of tests at its end.
    fn code(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod tests {").next().unwrap()
    }

    /// The room in `src/` that it is in: `http` for all of `src/http/`.
    fn room(&self) -> &str {
        self.path.trim_start_matches("src/").split('/').next().unwrap().trim_end_matches(".rs")
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap()
}

/// All Rust files below `folder`.
fn rust(folder: &str) -> Vec<File> {
    fn gather(folder: &Path, into: &mut Vec<File>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                gather(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(repository("")).unwrap().display().to_string();
                into.push(File { path, text });
            }
        }
    }
    let mut files = Vec::new();
    gather(&repository(folder), &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

static SOURCE: LazyLock<Vec<File>> = LazyLock::new(|| rust("src"));

/// Fails with every line of `wrong`.
#[track_caller]
fn nothing(wrong: &[String], says: &str) {
    assert!(wrong.is_empty(), "{says}:\n{}", wrong.join("\n"));
}

#[test]
fn the_schema_file_is_the_schema_that_is_served() {
    let (written, served) = (read("schema.graphql"), sdl());
    let different = written.lines().zip(served.lines()).position(|(written, served)| written != served);
    assert!(
        written == served,
        "schema.graphql is stale from line {:?} on; run `make schema`",
        different.map(|at| at + 1)
    );
}

/// What each room may import. A request goes down: handler, resolver, verb.
const ROOMS: [(&str, &[&str]); 19] = [
    ("value", &[]),
    ("record", &["value"]),
    ("filter", &["record", "value"]),
    ("index", &["filter", "record", "value"]),
    ("identity", &["value"]),
    ("connector", &["filter", "value"]),
    ("access", &["connector"]),
    ("database", &[]),
    ("directory", &["access", "connector", "database", "filter", "identity", "index", "record", "value"]),
    ("config", &[]),
    ("telemetry", &["config"]),
    ("graphql", &["access", "config", "telemetry", "directory", "filter", "identity", "index", "record", "value"]),
    ("http", &["access", "config", "telemetry", "graphql", "value"]),
    ("demo", &["directory", "filter", "index", "value"]),
    ("stop", &[]),
    ("cli", &["database", "demo", "directory", "filter", "stop", "value"]),
    (
        "serve",
        &["access", "config", "telemetry", "connector", "database", "directory", "filter", "graphql", "http", "stop"],
    ),
    ("main", &["cli", "config", "graphql", "serve"]),
    ("lib", &[]),
];

#[test]
fn nothing_imports_upward() {
    let mut wrong = Vec::new();
    for file in SOURCE.iter().filter(|file| !file.is_test()) {
        let Some((_, below)) = ROOMS.iter().find(|(room, _)| *room == file.room()) else {
            wrong.push(format!("{}: say in ROOMS what `{}` may import", file.path, file.room()));
            continue;
        };
        for (number, line) in (1..).zip(file.code().lines()) {
            let code = line.split("//").next().unwrap();
            for root in ["crate::", "roster::"] {
                for (at, _) in code.match_indices(root) {
                    // `$crate::`, or a name that ends so, is another crate's.
                    let before = code[..at].chars().next_back();
                    if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '"')) {
                        continue;
                    }
                    let named = rooms(&code[at + root.len()..]);
                    let above = named.iter().find(|room| **room != file.room() && !below.contains(room));
                    if let Some(above) = above {
                        wrong.push(format!("{}:{number}: {} imports {above}: {}", file.path, file.room(), line.trim()));
                    }
                }
            }
        }
    }
    nothing(&wrong, "these lines reach past what is below them");
}

/// The rooms that a path after `crate::` begins with; of `{a::b, c}` both.
fn rooms(path: &str) -> Vec<&str> {
    let name = |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let Some(list) = path.strip_prefix('{') else { return vec![&path[..name(path)]] };
    let (mut depth, mut start, mut found) = (0_i32, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(list[start..at].trim());
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(list[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found.into_iter().map(|item| &item[..name(item)]).filter(|room| !room.is_empty()).collect()
}

#[test]
fn the_paths_of_imports_are_read_as_rust_reads_them() {
    assert_eq!(rooms("value::{Key, fold};"), ["value"]);
    assert_eq!(rooms("{graphql, telemetry};"), ["graphql", "telemetry"]);
    assert_eq!(rooms("{http::{server, spool}, index::Index};"), ["http", "index"]);
}

#[test]
fn no_file_has_more_than_five_hundred_lines() {
    let all = SOURCE.iter().map(|file| (&file.path, file.text.lines().count()));
    let long: Vec<String> = all.filter(|(_, lines)| *lines > 500).map(|(path, n)| format!("{path}: {n}")).collect();
    nothing(&long, "these files are too long to be read at a sitting; split them by what they are about");
}

/// Words in capitals that are no codes: a CSV heading, parts of date formats, a method, the name of a sign.
const NO_CODES: [&str; 8] = ["ID", "YYYY", "YY", "MMM", "MM", "DD", "POST", "TAB"];

/// Text literals in the rooms that give codes, which look like codes and not like settings.
fn codes() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let rooms = ["directory", "filter", "value", "graphql", "http", "serve"];
    for file in SOURCE.iter().filter(|file| rooms.contains(&file.room()) && !file.is_test()) {
        for line in file.code().lines().map(str::trim).filter(|line| !line.starts_with("#[") && !line.starts_with("//"))
        {
            let literals = line.split('"').skip(1);
            let like_codes =
                literals.filter(|text| is_code(text) && !NO_CODES.contains(text) && !text.starts_with("ROSTER_"));
            found.extend(like_codes.map(str::to_owned));
        }
    }
    found
}

/// Whether it is capitals, and `_` between them.
fn is_code(text: &str) -> bool {
    text.len() > 1 && text.split('_').all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase()))
}

/// The codes in the first cells of a page's tables, below its heading `from`.
fn documented(page: &str, from: &str) -> BTreeSet<String> {
    let text = read(page);
    let (_, text) = text.split_once(&format!("\n{from}\n")).unwrap();
    let cells = text.lines().filter_map(|line| line.strip_prefix("| ")).filter_map(|row| row.split(" | ").next());
    let words = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>());
    words.filter(|word| is_code(word) && !NO_CODES.contains(&word.as_str())).collect()
}

#[test]
fn every_code_stands_in_the_docs_and_no_other() {
    let written: BTreeSet<String> =
        [("docs/errors.md", "## Codes"), ("docs/csv.md", "## Problems"), ("docs/filters.md", "## What can be wrong")]
            .into_iter()
            .chain([("docs/operations.md", "## Verify")])
            .flat_map(|(page, from)| documented(page, from))
            .collect();
    let given = codes();
    assert!(given.len() > 60, "{given:?}");
    let missing: Vec<String> = given.difference(&written).cloned().collect();
    nothing(&missing, "docs/errors.md, docs/csv.md and docs/filters.md do not tell of");
    let idle: Vec<String> = written.difference(&given).cloned().collect();
    nothing(&idle, "the docs tell of codes that nothing gives");
}

#[test]
fn every_code_of_connectors_stands_in_their_docs_and_no_other() {
    let written = documented("docs/connectors.md", "## Errors");
    let mut given = BTreeSet::new();
    for file in SOURCE.iter().filter(|file| file.room() == "connector" && !file.is_test()) {
        let lines = file.code().lines().filter(|line| {
            let gives = ["violation(", "Violation::new(", "ErrorKind::"];
            gives.iter().any(|word| line.contains(word))
                && (!line.contains("ErrorKind") || file.path.ends_with("error.rs"))
        });
        given.extend(
            lines.flat_map(|line| line.split('"').skip(1).step_by(2)).filter(|text| is_code(text)).map(str::to_owned),
        );
    }
    assert!(given.len() > 20, "{given:?}");
    assert_eq!(given, written, "what the code gives, and docs/connectors.md");
}

/// The rows of the table in `page` below the line that begins with `heading`, by cells.
fn table(page: &str, heading: &str) -> Vec<Vec<String>> {
    let text = read(page);
    let rows = text.lines().skip_while(|line| !line.starts_with(heading)).skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

#[test]
fn every_setting_stands_in_the_readme_with_its_variable_and_default() {
    let help = Home::new().output_of(&["serve", "--help"]);
    let mut settings: Vec<[String; 3]> = Vec::new();
    for line in help.lines().map(str::trim) {
        let within = |before: &str| line.strip_prefix(before).and_then(|rest| rest.strip_suffix(']'));
        if line.starts_with("--") {
            settings.push([line.split(' ').next().unwrap().to_owned(), String::new(), String::new()]);
        } else if let (Some(variable), Some(last)) = (within("[env: "), settings.last_mut()) {
            last[1] = variable.split('=').next().unwrap().to_owned();
        } else if let (Some(default), Some(last)) = (within("[default: "), settings.last_mut()) {
            last[2] = default.to_owned();
        }
    }
    let mut documented: Vec<[String; 3]> = table("README.md", "| flag | variable | default |")
        .into_iter()
        .map(|row| [0, 1, 2].map(|at: usize| row[at].trim_matches('`').to_owned()))
        .collect();
    let of_database = documented.iter_mut().find(|row| row[0] == "--database-url").unwrap();
    // Its default depends on another setting, which the help says in words.
    assert_eq!(std::mem::take(&mut of_database[2]), "roster.db` in the data folder");
    for flag in [
        "--allowed-hosts",
        "--secret-key",
        "--connector-allow",
        "--repositories",
        "--oidc-issuer",
        "--oidc-audience",
        "--oidc-role",
        "--oidc-jwks-url",
        "--trusted-proxies",
        "--tls-certificate",
        "--tls-key",
        "--cors-origins",
        "--trusted-documents",
    ] {
        let without = documented.iter_mut().find(|row| row[0] == flag).unwrap();
        assert_eq!(std::mem::take(&mut without[2]), "none");
    }
    settings.sort();
    documented.sort();
    assert!(settings.len() > 20);
    assert_eq!(settings, documented, "what `roster serve --help` says, and README.md");
}

#[test]
fn every_command_stands_in_the_readme() {
    let help = Home::new().output_of(&["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let mut commands: Vec<&str> = commands.map(|line| line.trim().split(' ').next().unwrap()).collect();
    commands.retain(|command| *command != "help");
    let rows = table("README.md", "| command | what it does |");
    let mut documented: Vec<&str> =
        rows.iter().map(|row| row[0].trim_matches('`').split(' ').nth(1).unwrap()).collect();
    commands.sort_unstable();
    documented.sort_unstable();
    assert!(commands.len() > 4);
    assert_eq!(commands, documented, "what `roster --help` says, and README.md");
}

#[test]
fn every_test_that_the_tables_of_promises_name_is_there() {
    let tests: Vec<File> = ["src", "tests", "entity", "migration"].into_iter().flat_map(rust).collect();
    let promises = [
        table("ARCHITECTURE.md", "| invariant | held by |"),
        table("docs/security.md", "| threat | defence | figure | test |"),
    ];
    let held_by: Vec<String> = promises.into_iter().flatten().filter_map(|row| row.last().cloned()).collect();
    let named: Vec<&str> = held_by
        .iter()
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        // The name of a test is a sentence; those of tables and types are shorter.
        .filter(|name| {
            name.matches('_').count() >= 2 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        })
        .collect();
    assert!(named.len() > 60, "{named:?}");
    let there = |name: &&str| tests.iter().any(|file| file.text.contains(&format!("fn {name}(")));
    let missing: Vec<String> = named.into_iter().filter(|name| !there(name)).map(str::to_owned).collect();
    nothing(&missing, "ARCHITECTURE.md and docs/security.md name tests that are not there");
}

#[test]
fn every_page_that_a_page_links_to_is_there() {
    let mut pages = vec!["README.md".to_owned(), "ARCHITECTURE.md".to_owned(), "CHANGELOG.md".to_owned()];
    for folder in ["docs", "docs/decisions"] {
        let entries = std::fs::read_dir(repository(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let names = entries.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(".md"));
        pages.extend(names.map(|name| format!("{folder}/{name}")));
    }
    let mut missing = Vec::new();
    for page in &pages {
        let text = read(page);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        for target in targets.filter(|target| !target.is_empty() && !target.contains("://")) {
            if !repository(page).with_file_name(target).exists() {
                missing.push(format!("{page}: {target}"));
            }
        }
    }
    nothing(&missing, "these links lead nowhere");
}
