//! A folder for what a command writes on its way.

use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// How often to try to remove one, and how long to wait after each.
const TRIES: (u32, Duration) = (100, Duration::from_millis(20));

/// A folder that goes, with all that is in it, when it is dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new_in(folder: &Path) -> io::Result<Self> {
        Ok(Self(tempfile::tempdir_in(folder)?.keep()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A connection to SQLite that was dropped is closed a little later, by its own thread, and may make or remove files
        // of its own until then.
        for _ in 0..TRIES.0 {
            if std::fs::remove_dir_all(&self.0).is_ok() {
                return;
            }
            sleep(TRIES.1);
        }
    }
}
