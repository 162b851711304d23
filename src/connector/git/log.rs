//! Has the program `git` read commits: with nothing in its environment, no configuration but ours, and no network.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use super::super::error::{Error, ErrorKind};
use super::repository::{Repository, is_id};
use crate::value::shorten;

/// The longest line that is taken; what is longer is no name.
const LONGEST: usize = 64 * 1024;
/// Author and committer by the mailmap, each as name and email.
const FORMAT: &str = "--format=tformat:%aN%x00%aE%x00%cN%x00%cE";

/// A name and an email, as a commit has them.
pub(super) struct Ident<'a> {
    pub(super) name: &'a [u8],
    pub(super) email: &'a [u8],
}

fn failed(message: impl Into<String>, mend: &str) -> Error {
    Error::new(ErrorKind::Repository, message, mend)
}

/// `git` on what stands for the repository.
fn command(repository: &Repository, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.env_clear();
    #[expect(clippy::disallowed_methods, reason = "where programs are is no setting of ours")]
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    let stand_in = repository.stand_in.path();
    command
        .current_dir(stand_in)
        .env("GIT_DIR", stand_in)
        .env("GIT_OBJECT_DIRECTORY", &repository.objects)
        .env("HOME", stand_in)
        .env("LC_ALL", "C.UTF-8")
        .envs([
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_ALLOW_PROTOCOL", "none"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_PAGER", "cat"),
        ])
        .args([
            "--no-pager",
            "-c",
            "core.commitGraph=false",
            "-c",
            "core.fsmonitor=false",
            "-c",
            "mailmap.blob=HEAD:.mailmap",
        ])
        .args(["-c", "i18n.logOutputEncoding=UTF-8", "-c", "core.multiPackIndex=true"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

fn spawn(mut command: Command) -> Result<Child, Error> {
    command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            failed("there is no program `git` on the server's machine", "install git, and have it in the server's PATH")
        }
        kind => failed(format!("`git` cannot be started: {kind}"), "check that the server's user may run it"),
    })
}

/// The id of the mailmap at `HEAD`; `-` where there is none.
pub(super) async fn mailmap(repository: &Repository, patience: Duration) -> Result<String, Error> {
    let child = spawn(command(repository, &["rev-parse", "--verify", "--quiet", "HEAD:.mailmap"]))?;
    let output = tokio::time::timeout(patience, child.wait_with_output()).await.map_err(|_| too_slow(patience))?;
    let output = output.map_err(|error| failed(format!("`git` broke off: {}", error.kind()), "try again later"))?;
    let id = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(if is_id(&id) { id } else { "-".to_owned() })
}

/// Reads the commits that the repository's heads have and `seen` had not, the newest first: author and committer of each.
pub(super) async fn read(
    repository: &Repository,
    seen: &[String],
    patience: Duration,
    take: impl FnMut([Ident<'_>; 2]) -> Result<(), Error>,
) -> Result<(), Error> {
    let reading = run(repository, seen, take);
    tokio::time::timeout(patience, reading).await.map_err(|_| too_slow(patience))?
}

fn too_slow(patience: Duration) -> Error {
    failed(format!("`git` was not done after {} s", patience.as_secs()), "look at the machine's load and disk")
}

async fn run(
    repository: &Repository,
    seen: &[String],
    mut take: impl FnMut([Ident<'_>; 2]) -> Result<(), Error>,
) -> Result<(), Error> {
    let arguments = ["log", "--stdin", "--use-mailmap", "--no-show-signature", "--no-decorate", "--no-color", FORMAT];
    let mut child = spawn(command(repository, &arguments))?;
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(failed("`git` has no pipes", "try again later"));
    };
    let mut wanted = String::new();
    for id in &repository.heads {
        wanted.extend([id.as_str(), "\n"]);
    }
    for id in seen {
        wanted.extend(["^", id.as_str(), "\n"]);
    }
    let ask = async move {
        // Where git has ended already, its status says why.
        let _ = stdin.write_all(wanted.as_bytes()).await;
        drop(stdin);
    };
    let listen = async move {
        let mut said = Vec::new();
        let _ = stderr.take(4096).read_to_end(&mut said).await;
        said
    };
    let mut lines = BufReader::with_capacity(1 << 16, stdout);
    let read = async {
        let mut line = Vec::new();
        while next(&mut lines, &mut line).await? {
            let mut parts = line.split(|byte| *byte == 0);
            if let [Some(name), Some(email), Some(by), Some(at), None] = std::array::from_fn(|_| parts.next()) {
                take([Ident { name, email }, Ident { name: by, email: at }])?;
            }
        }
        Ok::<_, Error>(())
    };
    let ((), said, read) = tokio::join!(ask, listen, read);
    read?;
    let status =
        child.wait().await.map_err(|error| failed(format!("`git` broke off: {}", error.kind()), "try again later"))?;
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&said);
    let folder = repository.stand_in.path().to_string_lossy();
    let objects = repository.objects.to_string_lossy();
    let said = said.replace(&*folder, "…").replace(&*objects, "…");
    let said: String = said.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    Err(failed(format!("`git` cannot read the repository: {}", shorten(&said)), "run `git fsck` in it"))
}

/// Reads a line into `line`; of one that is too long, nothing. Gives false at the end.
async fn next(lines: &mut (impl AsyncBufReadExt + Unpin), line: &mut Vec<u8>) -> Result<bool, Error> {
    let broke = |error: std::io::Error| failed(format!("`git` broke off: {}", error.kind()), "try again later");
    line.clear();
    let mut is_too_long = false;
    loop {
        let part = lines.fill_buf().await.map_err(broke)?;
        if part.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = part.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(part.len());
        is_too_long |= line.len() + taken > LONGEST;
        if is_too_long {
            line.clear();
        } else {
            line.extend_from_slice(&part[..taken]);
        }
        lines.consume(end.map_or(taken, |end| end + 1));
        if end.is_some() {
            return Ok(true);
        }
    }
}
