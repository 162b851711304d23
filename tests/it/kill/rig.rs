//! Imports that are killed at random moments, and what must be so afterwards.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::support::{Home, Random, Served, run_sql};

pub(crate) const IMPORT: &str =
    "mutation($file: Upload!) { importUsers(input: {file: $file, mode: REPLACE}) { applied version errorCount } }";
pub(crate) const CREATE: &str = "mutation($file: Upload!, $id: String) {
    createImportDraft(input: {file: $file, options: {mode: REPLACE}, clientMutationId: $id}) { draft { id } } }";
pub(crate) const CREATE_UNITS: &str =
    "mutation($file: Upload!) { createImportDraft(input: {file: $file, kind: ORG_UNITS}) { draft { id } } }";
pub(crate) const APPLY: &str = "mutation($id: ID!) { applyImportDraft(input: {id: $id}) { draft { state } } }";
const DRAFT: &str = "query($id: ID!) { importDraft(id: $id) { state message created isRefused appliedVersion } }";

/// A draft as it is now.
pub(crate) fn draft_of(server: &Served, id: &Json) -> Json {
    server.ask(DRAFT, json!({ "id": id }))["importDraft"].take()
}

/// A draft as it is when nobody works on it any more.
pub(crate) fn settled(server: &Served, id: &Json) -> Json {
    loop {
        let draft = draft_of(server, id);
        if !matches!(draft["state"].as_str(), Some("COMPARING" | "APPLYING")) {
            return draft;
        }
        sleep(Duration::from_millis(50));
    }
}

/// Checks that nothing is kept in the folder for files under way.
#[track_caller]
pub(crate) fn no_file_is_left(home: &Home) {
    let left: Vec<_> = std::fs::read_dir(home.data_dir().join("spool")).into_iter().flatten().collect();
    assert!(left.is_empty(), "files left behind: {left:?}");
}

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A server that runs `importUsers`.
    Import,
    /// A server that takes in and compares a draft.
    Compare,
    /// A server that applies a draft.
    Apply,
    /// `roster import`, beside a server.
    Shell,
}

pub(crate) const WAYS: [Way; 4] = [Way::Import, Way::Compare, Way::Apply, Way::Shell];

/// What to tell of an import that found no room, or a disk that fails.
pub(crate) const FULL: &str = "the disk is full, or fails; nothing was changed; make room there and try again";

/// What to tell where nobody knows whether anything was changed.
const AWAY: &str = "the database is busy or away; try again";

/// How a disk fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) call: &'static str,
    pub(crate) error: &'static str,
    /// Whether it fails from then on and for whatever connects anew, and not only once.
    pub(crate) is_lasting: bool,
}

pub(crate) const FAULTS: [Fault; 4] = [
    Fault { call: "pwrite64", error: "ENOSPC", is_lasting: true },
    Fault { call: "pwrite64", error: "EIO", is_lasting: true },
    Fault { call: "fsync", error: "EIO", is_lasting: false },
    Fault { call: "fsync", error: "EIO", is_lasting: true },
];

/// A disk that fails: strace lets a system call of a server fail as long as this lives.
struct Faults(Child);

impl Faults {
    /// Lets the call fail at the `number`th time, which is counted for each thread.
    fn begin(server: &Served, Fault { call, error, is_lasting }: Fault, number: usize) -> Self {
        let mut strace = Command::new("strace");
        let on = if is_lasting { "+" } else { "" };
        strace.args(["-o", "/dev/null", "-e", &format!("trace={call}"), "-e"]);
        strace.arg(format!("inject={call}:error={error}:when={number}{on}"));
        // A connection to SQLite is a thread. With `-f` the fault is one of those that come later, too.
        let all = if is_lasting { vec![server.id()] } else { threads(server) };
        strace.args(is_lasting.then_some("-f")).args(all.iter().flat_map(|id| ["-p".to_owned(), id.to_string()]));
        let mut child = strace.stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        for _ in all {
            let attached = said.next().unwrap_or_default();
            assert!(attached.contains(" attached"), "strace says: {attached}");
        }
        // It says the same of threads that come later, and would end if nobody read that.
        std::thread::spawn(move || said.for_each(drop));
        Self(child)
    }

    fn end(mut self) {
        let ended = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status().unwrap();
        assert!(ended.success());
        self.0.wait().unwrap();
    }
}

fn threads(server: &Served) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.id())).unwrap();
    tasks.map(|task| task.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect()
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) kills: usize,
    /// After how many of them the directory was as before the import.
    pub(crate) before: usize,
    /// After how many of them it was as after it.
    pub(crate) after: usize,
    /// The longest that it took until a server was ready again.
    pub(crate) restart: Duration,
}

/// A directory of which every import changes each user, makes some and removes some: all users say which import made
/// them what they are.
pub(crate) struct Rig<'a> {
    home: &'a Home,
    server: Option<Served>,
    rows: usize,
    /// The last import that was tried.
    last: usize,
    /// The import that the directory is the result of, and its version then.
    applied: usize,
    version: u64,
    /// How long each way takes where nothing kills it.
    durations: [Duration; WAYS.len()],
    random: Random,
    figures: Figures,
}

impl Figures {
    /// Adds what was seen elsewhere.
    pub(crate) fn add(&mut self, other: &Self) {
        self.kills += other.kills;
        self.before += other.before;
        self.after += other.after;
        self.restart = self.restart.max(other.restart);
    }

    fn count(&mut self, is_applied: bool) {
        self.kills += 1;
        if is_applied {
            self.after += 1;
        } else {
            self.before += 1;
        }
    }
}

impl<'a> Rig<'a> {
    /// Makes the directory, and sees how long imports take.
    pub(crate) fn begin(home: &'a Home, rows: usize) -> Self {
        let server = home.serve();
        server.ask(
            "mutation { createAttribute(input: {title: \"Import\", type: TEXT}) { attribute { id } } }",
            Json::Null,
        );
        let mut rig = Self {
            home,
            server: Some(server),
            rows,
            last: 0,
            applied: 0,
            version: 2,
            durations: [Duration::ZERO; WAYS.len()],
            random: Random::new(),
            figures: Figures::default(),
        };
        rig.run(Way::Import);
        rig.run(Way::Shell);
        rig.run(Way::Compare);
        rig
    }

    /// Does an import to its end. `Compare` and `Apply` are done together.
    fn run(&mut self, way: Way) {
        self.last += 1;
        let begun = Instant::now();
        match way {
            Way::Import => {
                let report = self.server().upload(IMPORT, json!({}), &self.file(self.last))["importUsers"].take();
                assert_eq!(report["applied"], true, "{report}");
            }
            Way::Shell => {
                let done = self.home.run_with(&["import", "-", "--mode", "replace"], &self.file(self.last));
                assert_eq!(done.code, Some(0), "{done:?}");
            }
            Way::Compare | Way::Apply => {
                let id = self.create();
                assert_eq!(settled(self.server(), &id)["state"], "READY");
                let compared = Instant::now();
                self.apply(&id);
                self.durations[Way::Apply as usize] = compared.elapsed();
                self.durations[Way::Compare as usize] = compared - begun;
            }
        }
        if matches!(way, Way::Import | Way::Shell) {
            self.durations[way as usize] = begun.elapsed();
        }
        assert!(self.look(), "an import that nothing killed is applied");
    }

    /// Kills an import at a random moment, checks what must be so then, and that it can be done again.
    pub(crate) fn kill(&mut self, way: Way) {
        self.last += 1;
        let limit = self.durations[way as usize].mul_f64(1.1).as_micros() as usize;
        let moment = Duration::from_micros(self.random.below(limit) as u64);
        eprintln!("{way:?} {} is killed after {moment:?}", self.last);
        let is_applied = match way {
            Way::Import => {
                let request = self.server().upload_request(IMPORT, json!({}), &self.file(self.last));
                self.kill_server(request, moment);
                self.look()
            }
            Way::Shell => {
                let mut command = self.home.command(&["import", &self.write(), "--mode", "replace"]);
                let mut import = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
                sleep(moment);
                import.kill().unwrap();
                import.wait().unwrap();
                no_file_is_left(self.home);
                self.look()
            }
            Way::Compare => {
                let variables = json!({ "id": self.last.to_string() });
                let request = self.server().upload_request(CREATE, variables, &self.file(self.last));
                self.kill_server(request, moment);
                assert!(!self.look(), "a draft changes nothing");
                // What had arrived goes on; of what had not, the same request makes another draft.
                settled(self.server(), &self.create());
                self.apply(&self.create());
                assert!(self.look());
                false
            }
            Way::Apply => {
                let id = self.create();
                assert_eq!(settled(self.server(), &id)["state"], "READY");
                let request = self.server().operation(APPLY, json!({ "id": id }));
                self.kill_server(request, moment);
                let draft = settled(self.server(), &id);
                let is_applied = self.look();
                let version = if is_applied { json!(self.version) } else { Json::Null };
                assert_eq!([&draft["state"] == "APPLIED", draft["state"] == "READY"], [is_applied, !is_applied]);
                assert_eq!(draft["appliedVersion"], version);
                if !is_applied {
                    self.apply(&id);
                    assert!(self.look());
                }
                is_applied
            }
        };
        self.figures.count(is_applied);
    }

    /// Kills an import from the shell as it makes a system call for the `number`th time, while nobody serves. Whether it
    /// got so far.
    pub(crate) fn kill_at(&mut self, call: &str, number: usize) -> bool {
        self.last += 1;
        // A server that is stopped folds the log of SQLite away, so that each import begins with none.
        let stopped = self.server.take().map(Served::stop);
        assert_eq!(stopped.unwrap().0, Some(0));
        let path = self.write();
        let import = self.home.command(&["import", &path, "--mode", "replace"]);
        let mut traced = Command::new("strace");
        traced.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e"]);
        traced.arg(format!("inject={call}:signal=SIGKILL:when={number}")).arg(import.get_program());
        traced.args(import.get_args()).env_clear();
        traced.envs(import.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ended = traced.stdout(Stdio::null()).status().unwrap();
        assert!(ended.success() || ended.code().is_none(), "the import neither ends nor is killed: {ended}");
        self.restart();
        let is_applied = self.look();
        if !ended.success() {
            eprintln!("import {} is killed at {call} number {number}, and is applied: {is_applied}", self.last);
            self.figures.count(is_applied);
        }
        !ended.success()
    }

    /// Has the disk of a server fail in the midst of an import, at the `number`th call. Checks that nothing is changed then,
    /// and that the same import succeeds when the disk is well again: in the same server, or, with `is_killed`, in one after
    /// it. Whether the import failed.
    pub(crate) fn fail_at(&mut self, fault: Fault, number: usize, is_killed: bool) -> bool {
        self.last += 1;
        let faults = Faults::begin(self.server(), fault, number);
        let answer = self.server().exchange(&self.server().upload_request(IMPORT, json!({}), &self.file(self.last)));
        let answer: Json = serde_json::from_slice(&answer.body).unwrap();
        let is_applied = answer["data"]["importUsers"]["applied"] == true;
        // What a lasting fault leaves in the WAL cannot be written over.
        let told = if fault.call == "fsync" && fault.is_lasting { AWAY } else { FULL };
        let message = answer["errors"][0]["message"].as_str();
        assert_eq!(message, (!is_applied).then_some(told), "{fault:?} at number {number}: {answer}");
        assert_eq!(self.server().get("/readyz").status, 200);
        let version = self.server().ask("{ directory { version } }", Json::Null)["directory"]["version"].take();
        assert_eq!(version, json!(self.version + u64::from(is_applied)), "reads go on");
        faults.end();
        assert_eq!(self.look(), is_applied, "{fault:?} at number {number}: {answer}");
        eprintln!("import {} meets {fault:?} at number {number}, and is applied: {is_applied}", self.last);
        let mut is_there = is_applied;
        if is_killed {
            self.server = None;
            self.restart();
            is_there |= self.look();
            assert!(
                is_there == is_applied || told == AWAY,
                "after {fault:?} at number {number} it is there all the same"
            );
        }
        if !is_there {
            let report = self.server().upload(IMPORT, json!({}), &self.file(self.last))["importUsers"].take();
            assert_eq!(report["applied"], true, "{report}");
            assert!(self.look());
        }
        self.figures.count(is_applied);
        !is_applied
    }

    /// Writes the file of the last import, and gives its path.
    fn write(&self) -> String {
        let path = self.home.path("import.csv");
        std::fs::write(&path, self.file(self.last)).unwrap();
        path.display().to_string()
    }

    /// Starts a server where there is none.
    fn restart(&mut self) {
        no_file_is_left(self.home);
        let begun = Instant::now();
        self.server = Some(self.home.serve());
        self.figures.restart = self.figures.restart.max(begun.elapsed());
    }

    /// Does once more, to the end, what was not done again after each kill.
    pub(crate) fn end(mut self) -> Figures {
        self.run(Way::Import);
        self.run(Way::Shell);
        no_file_is_left(self.home);
        self.figures
    }

    fn server(&self) -> &Served {
        self.server.as_ref().unwrap()
    }

    /// Kills the server while it is at a request, and starts another one. Nobody waits for leases to run out.
    fn kill_server(&mut self, request: Vec<u8>, moment: Duration) {
        let client = self.server().begin(request);
        sleep(moment);
        self.server = None;
        client.join().unwrap();
        let leased = "leased_until > '2001-01-01T00:00:00+00:00'";
        let url = self.home.database_url();
        run_sql(&url, &format!("UPDATE import_draft SET leased_until = '2000-01-01T00:00:00+00:00' WHERE {leased}"));
        self.restart();
    }

    /// The draft of the last import: a new one, or that of the same request before.
    fn create(&self) -> Json {
        let made = self.server().upload(CREATE, json!({ "id": self.last.to_string() }), &self.file(self.last));
        made["createImportDraft"]["draft"]["id"].clone()
    }

    fn apply(&self, id: &Json) {
        assert_eq!(settled(self.server(), id)["state"], "READY");
        self.server().ask(APPLY, json!({ "id": id }));
        assert_eq!(settled(self.server(), id)["state"], "APPLIED");
    }

    /// Whether the last import is applied, having checked that it is as a whole, or not at all.
    fn look(&mut self) -> bool {
        let version = self.server().ask("{ directory { version } }", Json::Null)["directory"]["version"].take();
        let export = self.server().download("/export/users.csv");
        let mut users: Vec<&str> = export.lines().skip(1).map(|line| line.split_once(',').unwrap().1).collect();
        users.sort_unstable();
        let found = users.first().map_or(0, |user| user.rsplit(' ').next().unwrap().parse().unwrap());
        let wanted = String::from_utf8(self.file(found)).unwrap();
        let mut wanted: Vec<&str> = wanted.lines().skip(1).collect();
        wanted.sort_unstable();
        let different = users.iter().zip(&wanted).find(|(user, wanted)| user != wanted);
        assert_eq!((users.len(), different), (wanted.len(), None), "the users of import {found}");
        let is_new = found != self.applied;
        assert!(!is_new || found == self.last, "import {found} is applied after import {}", self.last);
        assert_eq!(version, json!(self.version + u64::from(is_new)));
        (self.applied, self.version) = (found, self.version + u64::from(is_new));
        is_new
    }

    /// The file of one import: one user in twenty is new in each, and all others change.
    fn file(&self, import: usize) -> Vec<u8> {
        let rows = (0..self.rows).map(|user| {
            let name = if user % 20 == 0 { format!("{import}-{user}") } else { user.to_string() };
            format!("User {name},user{name}@corp.example,import {import}\n")
        });
        let rows = rows.filter(|_| import > 0);
        std::iter::once("Name,Email,Import\n".to_owned()).chain(rows).collect::<String>().into_bytes()
    }
}
