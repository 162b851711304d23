//! Repositories on this machine: whom commits name, what is new since, and what a hostile one cannot do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use entity::integration::IntegrationKind::Git;
use roster::connector::{Account, ErrorKind, Policy};
use serde_json::json;
use tempfile::TempDir;

use super::stand_in::{Reading, reading_as};
use crate::support::has;

/// A folder of repositories with one in it, `platform/api`.
struct Folder {
    folder: TempDir,
}

impl Folder {
    /// Nothing where there is no git; `REQUIRE_GIT` requires it.
    fn new() -> Option<Self> {
        if !has(&["git"], "REQUIRE_GIT") {
            return None;
        }
        let folder = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(folder.repository()).unwrap();
        folder.git(&["init", "--quiet", "--initial-branch=main"]);
        Some(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn repository(&self) -> PathBuf {
        self.path("repositories/platform/api")
    }

    fn git(&self, arguments: &[&str]) -> String {
        self.git_as(("Ann Abel", "ann@corp.example"), ("Ann Abel", "ann@corp.example"), arguments)
    }

    fn git_as(&self, author: (&str, &str), committer: (&str, &str), arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "commit.gpgSign=false", "-c", "user.useConfigOnly=false"])
            .args(arguments)
            .current_dir(self.repository())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_AUTHOR_NAME", author.0)
            .env("GIT_AUTHOR_EMAIL", author.1)
            .env("GIT_COMMITTER_NAME", committer.0)
            .env("GIT_COMMITTER_EMAIL", committer.1)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self, author: (&str, &str), committer: (&str, &str)) {
        self.git_as(author, committer, &["commit", "--quiet", "--allow-empty", "--message", "change"]);
    }

    fn commit_file(&self, name: &str, content: &str) {
        fs::write(self.repository().join(name), content).unwrap();
        self.git(&["add", name]);
        self.git(&["commit", "--quiet", "--message", "change"]);
    }

    async fn read(&self, name: &str, cursor: Option<&str>) -> Reading {
        let policy = Policy { repositories: Some(self.path("repositories")), ..Policy::default() };
        reading_as(policy, Git, json!({ "repository": name }), "", cursor).await
    }
}

const ANN: (&str, &str) = ("Ann Abel", "ann@corp.example");
const BEN: (&str, &str) = ("Ben Brook", "Ben@Corp.example");
const CEM: (&str, &str) = ("Cem Demir", "cem@home.example");

fn cursor(read: &Reading) -> String {
    read.outcome.as_ref().unwrap().cursor.clone().unwrap()
}

fn people(read: &Reading) -> Vec<(&str, &str)> {
    assert!(read.outcome.is_ok(), "{:?}", read.outcome);
    let show = |account: &'_ Account| account.display_name.clone().unwrap_or_default();
    let mut people: Vec<(&str, &str)> = Vec::new();
    for account in &read.accounts {
        assert_eq!((account.username.as_deref(), account.is_gone), (None, false));
        assert_eq!(show(account), account.display_name.as_deref().unwrap_or_default());
        people.push((&account.external_id, account.display_name.as_deref().unwrap_or_default()));
    }
    people
}

#[tokio::test]
async fn authors_and_committers_come_from_every_branch_and_what_is_new_from_the_heads_of_then() {
    let Some(folder) = Folder::new() else { return };
    folder.commit(ANN, ANN);
    folder.commit(BEN, ("GitHub", "noreply@github.com"));
    folder.git(&["switch", "--quiet", "--create", "feature/x"]);
    folder.commit(CEM, ANN);
    folder.git(&["tag", "--annotate", "--message", "first", "v1"]);
    folder.git(&["switch", "--quiet", "main"]);
    folder.git(&["pack-refs", "--all"]);
    folder.git(&["gc", "--quiet"]);
    let first = folder.read("platform/api", None).await;
    assert_eq!(
        people(&first),
        [
            ("ann@corp.example", "Ann Abel"),
            ("ben@corp.example", "Ben Brook"),
            ("cem@home.example", "Cem Demir"),
            ("noreply@github.com", "GitHub")
        ]
    );
    assert!(first.account("noreply@github.com").is_bot && !first.account("ben@corp.example").is_bot);
    assert_eq!((first.total, first.outcome.as_ref().unwrap().is_full), (Some(4), true));

    // Nothing new, and then something: by the newest commit, a name has changed.
    let same = folder.read("platform/api", Some(&cursor(&first))).await;
    assert_eq!((people(&same).len(), same.outcome.as_ref().unwrap().is_full), (0, false));
    folder.commit(("Ben B.", "ben@corp.example"), ("Eve", "eve@corp.example"));
    folder.commit(("Ben Brook-Abel", "ben@corp.example"), ANN);
    let next = folder.read("platform/api", Some(&cursor(&same))).await;
    assert_eq!(
        people(&next),
        [("ann@corp.example", "Ann Abel"), ("ben@corp.example", "Ben Brook-Abel"), ("eve@corp.example", "Eve")]
    );
    assert!(!next.outcome.as_ref().unwrap().is_full);

    // A branch written anew leaves heads that are gone: then everything is read.
    folder.git(&["reset", "--quiet", "--hard", "HEAD~2"]);
    folder.git(&["reflog", "expire", "--expire=now", "--all"]);
    folder.git(&["gc", "--quiet", "--prune=now"]);
    let anew = folder.read("platform/api", Some(&cursor(&next))).await;
    assert_eq!((people(&anew).len(), anew.outcome.as_ref().unwrap().is_full), (4, true));
    // What is no cursor is none.
    for nonsense in ["", "HEAD", "- --all", "; rm -rf /"] {
        let read = folder.read("platform/api", Some(nonsense)).await;
        assert_eq!((people(&read).len(), read.outcome.as_ref().unwrap().is_full), (4, true));
    }
    // The same repository bare, shallow and with SHA-256.
    let from = format!("file://{}", folder.repository().display());
    folder.git(&["clone", "--quiet", "--bare", &from, "../bare.git"]);
    assert_eq!(people(&folder.read("platform/bare.git", None).await).len(), 4);
    folder.git(&["clone", "--quiet", "--depth=1", "--single-branch", &from, "../shallow"]);
    assert_eq!(people(&folder.read("platform/shallow", None).await).len(), 2);
    folder.git(&["init", "--quiet", "--object-format=sha256", "--bare", "../sha256.git"]);
    let tree = folder.git(&["-C", "../sha256.git", "mktree"]);
    let commit = folder.git(&["-C", "../sha256.git", "commit-tree", "-m", "first", &tree]);
    folder.git(&["-C", "../sha256.git", "update-ref", "refs/heads/main", &commit]);
    assert_eq!(people(&folder.read("platform/sha256.git", None).await), [("ann@corp.example", "Ann Abel")]);
}

#[tokio::test]
async fn the_mailmap_of_the_main_branch_says_who_is_who_and_a_new_one_has_all_read_again() {
    let Some(folder) = Folder::new() else { return };
    folder.commit(ANN, ANN);
    folder.commit(("ann", "ann@laptop.(none)"), ANN);
    folder.commit(("Ann A.", "annabel@home.example"), ANN);
    let before = folder.read("platform/api", None).await;
    assert_eq!(people(&before).len(), 3);
    folder.commit_file(
        ".mailmap",
        "Ann Abel <ann@corp.example> <ann@laptop.(none)>\nAnn Abel <ann@corp.example> <annabel@home.example>\n",
    );
    let after = folder.read("platform/api", Some(&cursor(&before))).await;
    assert_eq!(people(&after), [("ann@corp.example", "Ann Abel")]);
    assert!(after.outcome.as_ref().unwrap().is_full);
    let again = folder.read("platform/api", Some(&cursor(&after))).await;
    assert!(!again.outcome.as_ref().unwrap().is_full);
}

#[tokio::test]
async fn committers_are_left_out_where_that_is_asked_and_odd_names_are_taken_as_they_are() {
    let Some(folder) = Folder::new() else { return };
    folder.commit(("Zoë \u{202e}Ö", "zoë@corp.example"), BEN);
    folder.commit(("no-email", ""), BEN);
    folder.commit(("--all", "--exec=x@y.example"), BEN);
    let policy = Policy { repositories: Some(folder.path("repositories")), ..Policy::default() };
    let settings = json!({ "repository": "platform/api", "includeCommitters": false });
    let read = reading_as(policy, Git, settings, "", None).await;
    let ids: Vec<&str> = people(&read).iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, ["--exec=x@y.example", "no-email", "zoë@corp.example"]);
    assert_eq!(read.account("no-email").email, None);
}

fn link(to: impl AsRef<Path>, at: impl AsRef<Path>) {
    std::os::unix::fs::symlink(to, at).unwrap();
}

#[tokio::test]
async fn only_repositories_below_the_folder_are_read() {
    let Some(folder) = Folder::new() else { return };
    folder.commit(ANN, ANN);
    let below = folder.path("repositories");
    fs::create_dir(folder.path("elsewhere")).unwrap();
    let copy = Command::new("cp").arg("-r").arg(folder.repository()).arg(folder.path("elsewhere/secret")).status();
    assert!(copy.unwrap().success());
    link(folder.path("elsewhere"), below.join("link"));
    link(folder.path("elsewhere/secret"), below.join("linked"));
    fs::create_dir(below.join("inside")).unwrap();
    link(folder.path("elsewhere/secret/.git"), below.join("inside/.git"));
    fs::create_dir(below.join("worktree")).unwrap();
    fs::write(below.join("worktree/.git"), format!("gitdir: {}", folder.path("elsewhere/secret/.git").display()))
        .unwrap();
    fs::create_dir(below.join("parts")).unwrap();
    fs::write(below.join("parts/HEAD"), "ref: refs/heads/main\n").unwrap();
    link(folder.path("elsewhere/secret/.git/objects"), below.join("parts/objects"));
    link(folder.path("elsewhere/secret/.git/refs"), below.join("parts/refs"));
    fs::create_dir(below.join("empty")).unwrap();
    for name in ["link/secret", "linked", "inside", "worktree", "parts", "empty", "absent", "platform"] {
        let read = folder.read(name, None).await;
        let shown = read.error().to_string();
        assert_eq!(
            (read.error().kind(), read.error().is_retryable()),
            (ErrorKind::Repository, false),
            "{name}: {shown}"
        );
        assert!(!shown.contains(&*folder.folder.path().to_string_lossy()), "{shown}");
    }
    // Objects that are borrowed from elsewhere.
    let alternates = folder.repository().join(".git/objects/info/alternates");
    fs::write(&alternates, format!("{}\n", folder.path("elsewhere/secret/.git/objects").display())).unwrap();
    assert!(folder.read("platform/api", None).await.error().message().contains("borrows"));
    fs::remove_file(alternates).unwrap();
    let pack = folder.repository().join(".git/objects/pack");
    link(folder.path("elsewhere/secret/.git/HEAD"), pack.join("pack-x.pack"));
    assert!(folder.read("platform/api", None).await.error().message().contains("symbolic links"));
    fs::remove_file(pack.join("pack-x.pack")).unwrap();
    // A ref that is a link to another file is none.
    link(folder.path("elsewhere/secret/.git/refs/heads/main"), folder.repository().join(".git/refs/heads/other"));
    assert_eq!(people(&folder.read("platform/api", None).await).len(), 1);
}

#[tokio::test]
async fn a_hostile_repository_runs_nothing() {
    let Some(folder) = Folder::new() else { return };
    folder.commit(ANN, ANN);
    folder.commit_file(".mailmap", "Ann <ann@corp.example>\n");
    folder.commit_file(".gitattributes", "* diff=evil filter=evil\n");
    let ran = folder.path("ran");
    let script = folder.path("script");
    fs::write(&script, format!("#!/bin/sh\ntouch {}\n", ran.display())).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&script).status().unwrap().success());
    let script = script.display().to_string();
    let git = folder.repository().join(".git");
    let keys = [
        "core.fsmonitor",
        "core.pager",
        "pager.log",
        "core.editor",
        "core.sshCommand",
        "core.askPass",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "gpg.program",
        "gpg.ssh.program",
        "credential.helper",
        "core.alternateRefsCommand",
        "uploadpack.packObjectsHook",
        "sequence.editor",
        "interactive.diffFilter",
        "log.external",
        "alias.log",
    ];
    for key in keys {
        folder.git(&["config", key, &if key == "alias.log" { format!("!{script}") } else { script.clone() }]);
    }
    folder.git(&["config", "log.showSignature", "true"]);
    folder.git(&["config", "core.hooksPath", &folder.path("").display().to_string()]);
    folder.git(&["config", "mailmap.file", "/etc/passwd"]);
    fs::write(git.join("info/attributes"), "* diff=evil\n").unwrap();
    let hooks = ["post-index-change", "reference-transaction", "fsmonitor-watchman", "post-checkout"];
    for hook in hooks {
        fs::create_dir_all(git.join("hooks")).unwrap();
        fs::copy(folder.path("script"), git.join("hooks").join(hook)).unwrap();
    }
    // Objects that are missing would be fetched from a remote that is a command.
    folder.git(&["config", "core.repositoryFormatVersion", "1"]);
    folder.git(&["config", "extensions.partialClone", "evil"]);
    folder.git(&["config", "remote.evil.promisor", "true"]);
    folder.git(&["config", "remote.evil.url", &format!("ext::{script}")]);
    folder.git(&["config", "protocol.ext.allow", "always"]);
    // Whoever goes there and types a command runs it.
    let typed = Command::new("git").arg("status").current_dir(folder.repository()).output().unwrap();
    assert!(ran.exists(), "{typed:?}");
    fs::remove_file(&ran).unwrap();
    // A configuration that is no configuration, included.
    let mut config = fs::read_to_string(git.join("config")).unwrap();
    config.push_str("[include]\n\tpath = /etc/passwd\n");
    fs::write(git.join("config"), config).unwrap();
    let read = folder.read("platform/api", None).await;
    assert_eq!(people(&read), [("ann@corp.example", "Ann")]);
    assert!(!ran.exists(), "it ran");
    // A commit whose parent is not there.
    let missing = fs::read_to_string(git.join("refs/heads/main")).unwrap();
    let object = missing.trim();
    fs::remove_file(git.join("objects").join(&object[..2]).join(&object[2..])).unwrap();
    let read = folder.read("platform/api", None).await;
    assert_eq!(read.error().kind(), ErrorKind::Repository);
    assert!(read.error().message().starts_with("`git` cannot read the repository: fatal"), "{}", read.error());
    assert!(!ran.exists() && !read.error().to_string().contains(&*folder.folder.path().to_string_lossy()));
}

#[tokio::test]
async fn a_repository_without_commits_is_told() {
    let Some(folder) = Folder::new() else { return };
    let read = folder.read("platform/api", None).await;
    assert!(read.error().message().contains("has no commits"), "{}", read.error());
}
