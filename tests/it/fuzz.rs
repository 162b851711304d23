//! What fuzzing checks (`make fuzz`), of the corpus and of pieces of it that are cut off or have a bit turned.

use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, clippy::expect_used, reason = "the fuzz targets, which are another crate, call them too")]
mod targets;

/// The files of a target's corpus.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn damaged(target: &str, pieces: usize, check: fn(&[u8])) {
    let files = corpus(target);
    assert!(files.len() >= 3, "{target}");
    for file in files {
        check(&file);
        let step = (file.len() / pieces).max(1);
        for place in (0..file.len()).step_by(step) {
            check(&file[..place]);
            for bit in [0, 3, 7] {
                let mut turned = file.clone();
                turned[place] ^= 1 << bit;
                check(&turned);
            }
        }
    }
}

#[test]
fn csv() {
    damaged("csv", 200, targets::csv);
}

#[test]
fn filter() {
    damaged("filter", 200, targets::filter);
}

#[test]
fn cursor() {
    damaged("cursor", 200, targets::cursor);
}

#[test]
fn guard() {
    damaged("guard", 200, targets::guard);
}

#[test]
fn token() {
    damaged("token", 200, targets::token);
}

#[test]
fn multipart() {
    damaged("multipart", 40, targets::multipart);
}
