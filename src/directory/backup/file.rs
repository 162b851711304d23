//! The file of a backup: a SQLite database, which ends where its own header says, and after it one line with the SHA-256 of
//! all bytes before that line. SQLite does not look at what stands after a database.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::value::hex;

/// What the last line begins with.
const MARK: &str = "\nroster backup 1 sha256 ";
/// The bytes of the last line.
const LINE: u64 = MARK.len() as u64 + 64 + 1;

/// Why a file is not taken for a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotWhole {
    /// It does not end as one.
    #[error("it does not end as a backup of Roster does: it was cut off, or is none")]
    CutOff,
    /// It is not what was written.
    #[error("its bytes are not those that were written: its SHA-256 is not the one in its last line")]
    Altered,
}

/// Adds the last line, and has all of it on the disk.
pub(super) fn seal(path: &Path) -> std::io::Result<()> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let digest = copy(&mut file, length, &mut std::io::sink())?;
    file.write_all(format!("{MARK}{digest}\n").as_bytes())?;
    file.sync_all()
}

/// Writes the database of a backup to `to`.
///
/// # Errors
/// Where the file is not whole. What is at `to` is of no use then.
pub(super) fn unseal(path: &Path, to: &Path) -> std::result::Result<(), super::BackupError> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len().checked_sub(LINE).ok_or(NotWhole::CutOff)?;
    file.seek(SeekFrom::Start(length))?;
    let mut line = Vec::new();
    file.read_to_end(&mut line)?;
    let line = String::from_utf8(line).map_err(|_| NotWhole::CutOff)?;
    let digest = line.strip_prefix(MARK).and_then(|rest| rest.strip_suffix('\n')).ok_or(NotWhole::CutOff)?;
    file.rewind()?;
    if copy(&mut file, length, &mut File::create(to)?)? == digest { Ok(()) } else { Err(NotWhole::Altered.into()) }
}

/// Copies so many bytes, and gives their SHA-256.
fn copy(from: &mut File, length: u64, to: &mut impl Write) -> std::io::Result<String> {
    let mut digest = Sha256::new();
    let mut left = length;
    let mut buffer = vec![0; 1 << 20];
    while left > 0 {
        let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = from.read(&mut buffer[..room])?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        digest.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
        left -= read as u64;
    }
    Ok(hex(&digest.finalize()))
}
