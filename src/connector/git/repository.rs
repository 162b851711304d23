//! A repository on this machine: where it is, and what it points to.
//!
//! It may have been written by anybody, so `git` never sees its configuration, its hooks or its attributes: the refs are
//! read here, and `git` is given a folder of ours with nothing of the repository's but its objects.

use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use tempfile::TempDir;

use super::super::error::{Error, ErrorKind};
use crate::value::shorten;

/// The largest file of refs that is read.
const LARGEST: u64 = 256 << 20;
/// The most refs.
const MOST: usize = 1_000_000;
/// How deep names of refs may be nested.
const DEEPEST: usize = 32;

/// A repository that can be read.
pub(super) struct Repository {
    /// A folder of ours that stands for it.
    pub(super) stand_in: TempDir,
    /// Where its objects are.
    pub(super) objects: PathBuf,
    /// What its branches, tags and remote branches point to, each once, the main branch first.
    pub(super) heads: Vec<String>,
}

/// The parts of a path that leads nowhere but down.
pub(super) fn parts(path: &str) -> Option<Vec<&str>> {
    let is_plain = !path.is_empty() && !path.contains(['\\', '\0']);
    let parts: Option<Vec<&str>> = Path::new(path)
        .components()
        .map(|part| match part {
            Component::Normal(part) => part.to_str(),
            _ => None,
        })
        .collect();
    parts.filter(|_| is_plain)
}

/// Whether a text is an object's id.
pub(super) fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn unreadable(message: impl Into<String>, mend: &str) -> Error {
    Error::new(ErrorKind::Repository, message, mend)
}

impl Repository {
    pub(super) fn open(folder: &Path, name: &str) -> Result<Self, Error> {
        let git = find(folder, name)?;
        let objects = git.join("objects");
        check_objects(&objects)?;
        if git.join("reftable").exists() {
            let message = format!("`{}` keeps its refs as a reftable, which is not read", shorten(name));
            return Err(unreadable(message, "run `git refs migrate --ref-format=files` in it"));
        }
        let fault = |error: io::Error| {
            let message = format!("`{}` cannot be read: {}", shorten(name), error.kind());
            unreadable(message, "let the server's user read its files")
        };
        let mut refs = Refs::default();
        refs.packed(&git.join("packed-refs")).map_err(fault)?;
        for kind in ["heads", "remotes", "tags"] {
            refs.loose(&git.join("refs").join(kind), &format!("refs/{kind}"), 0).map_err(fault)?;
        }
        let head = refs.resolve(&text(&git.join("HEAD")).map_err(fault)?);
        let mut heads: Vec<String> = head.iter().cloned().collect();
        let mut others: Vec<(String, String)> = refs.found;
        others.sort();
        heads.extend(others.into_iter().map(|(_, id)| id));
        let mut seen = std::collections::HashSet::new();
        heads.retain(|id| seen.insert(id.clone()));
        if heads.is_empty() {
            return Err(unreadable(
                format!("`{}` has no commits", shorten(name)),
                "read it once somebody has committed",
            ));
        }
        let stand_in = stand_in(&git, &heads[0]).map_err(fault)?;
        Ok(Self { stand_in, objects, heads })
    }
}

/// The folder with the objects and the refs of the repository `name`.
fn find(folder: &Path, name: &str) -> Result<PathBuf, Error> {
    let shown = shorten(name);
    let elsewhere = || {
        let message = format!("`{shown}` leads out of the folder of repositories");
        unreadable(message, "name a repository below it, with no `..` and no symbolic link on the way")
    };
    let absent = || unreadable(format!("there is no repository `{shown}`"), "check `settings.repository`");
    let parts = parts(name).ok_or_else(elsewhere)?;
    let root = folder.canonicalize().map_err(|_| {
        unreadable("the folder of repositories cannot be read", "check the server's setting `--repositories`")
    })?;
    let mut path = root.clone();
    for part in parts {
        path.push(part);
        if path.symlink_metadata().map_err(|_| absent())?.is_symlink() {
            return Err(elsewhere());
        }
    }
    let is_repository = |path: &Path| is_folder(&path.join("objects")) && is_file(&path.join("HEAD"));
    let git = path.join(".git");
    if git.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
        let message = format!("`{shown}` is a work tree whose repository is elsewhere");
        return Err(unreadable(message, "name the repository itself"));
    }
    let found = [git, path].into_iter().find(|path| is_repository(path)).ok_or_else(absent)?;
    // What the steps above cannot have missed, unless somebody is moving folders meanwhile.
    match found.canonicalize() {
        Ok(real) if real.starts_with(&root) => Ok(real),
        _ => Err(elsewhere()),
    }
}

fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_file())
}

/// Refuses objects that are elsewhere.
fn check_objects(objects: &Path) -> Result<(), Error> {
    let alternates = ["info/alternates", "info/http-alternates"];
    if alternates.iter().any(|file| objects.join(file).symlink_metadata().is_ok()) {
        let mend = "run `git repack -a -d` in it, then remove objects/info/alternates";
        return Err(unreadable("the repository borrows objects from another one", mend));
    }
    for folder in [objects.to_path_buf(), objects.join("pack"), objects.join("info")] {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        if entries.into_iter().any(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink())) {
            return Err(unreadable("the repository has symbolic links among its objects", "clone it anew"));
        }
    }
    Ok(())
}

/// A bare repository of ours, empty but for what the real one is cut off at, whose `HEAD` is the real one's.
fn stand_in(git: &Path, head: &str) -> io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("roster-git-").tempdir()?;
    let path = folder.path();
    for name in ["objects", "refs"] {
        fs::create_dir(path.join(name))?;
    }
    let format = if head.len() == 64 {
        "\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n"
    } else {
        "\trepositoryformatversion = 0\n"
    };
    fs::write(path.join("config"), format!("[core]\n\tbare = true\n{format}"))?;
    fs::write(path.join("HEAD"), format!("{head}\n"))?;
    let shallow = git.join("shallow");
    if is_file(&shallow) {
        let ids: String = text(&shallow)?.lines().filter(|id| is_id(id)).map(|id| format!("{id}\n")).collect();
        fs::write(path.join("shallow"), ids)?;
    }
    Ok(folder)
}

/// A file's text; nothing for a file that is not there, or is a symbolic link.
fn text(path: &Path) -> io::Result<String> {
    if !is_file(path) {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Refs by name. A loose one overrules a packed one.
#[derive(Default)]
struct Refs {
    found: Vec<(String, String)>,
    names: std::collections::HashMap<String, usize>,
}

impl Refs {
    fn insert(&mut self, name: &str, id: &str) -> io::Result<()> {
        if !is_id(id) {
            return Ok(());
        }
        if let Some(at) = self.names.get(name) {
            id.clone_into(&mut self.found[*at].1);
            return Ok(());
        }
        if self.found.len() >= MOST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.names.insert(name.to_owned(), self.found.len());
        self.found.push((name.to_owned(), id.to_owned()));
        Ok(())
    }

    fn packed(&mut self, path: &Path) -> io::Result<()> {
        for line in text(path)?.lines() {
            let Some((id, name)) = line.split_once(' ') else { continue };
            if ["refs/heads/", "refs/remotes/", "refs/tags/"].iter().any(|kind| name.starts_with(kind)) {
                self.insert(name, id)?;
            }
        }
        Ok(())
    }

    fn loose(&mut self, folder: &Path, name: &str, depth: usize) -> io::Result<()> {
        if depth > DEEPEST || !is_folder(folder) {
            return Ok(());
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (kind, file) = (entry.file_type()?, entry.file_name());
            let name = format!("{name}/{}", file.to_string_lossy());
            if kind.is_dir() {
                self.loose(&entry.path(), &name, depth + 1)?;
            } else if kind.is_file() {
                self.insert(&name, text(&entry.path())?.trim())?;
            }
        }
        Ok(())
    }

    /// What `HEAD` points to: an id, or a ref.
    fn resolve(&self, head: &str) -> Option<String> {
        let head = head.trim();
        let Some(name) = head.strip_prefix("ref:") else { return is_id(head).then(|| head.to_owned()) };
        self.names.get(name.trim()).map(|at| self.found[*at].1.clone())
    }
}
