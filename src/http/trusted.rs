//! TRUSTED DOCUMENTS. Where there is a list of them, nothing else runs; clients name one by its SHA-256, or send its text.

use std::collections::HashMap;
use std::path::Path;

use http::StatusCode;
use sha2::{Digest, Sha256};

use super::reply::Refusal;
use super::server::Error;
use crate::value::hex;

/// The setting that names the list.
const SETTING: &str = "ROSTER_TRUSTED_DOCUMENTS";

/// Documents by the SHA-256 of their text, in hex.
pub(super) struct Trusted(HashMap<String, String>);

/// The SHA-256 of a text, in hex.
fn digest(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// An id as it is listed: `sha256:` before it says how it was made.
fn bare(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap_or(id)
}

impl Trusted {
    /// Reads a list: a JSON object with the text of each document under its SHA-256.
    ///
    /// # Errors
    /// One that names the setting, and the document at fault.
    pub(super) fn open(file: &Path) -> Result<Self, Error> {
        let wrong = |why: String| Error::setting(SETTING, format!("{}: {why}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        let listed: HashMap<String, String> = serde_json::from_str(&text)
            .map_err(|error| wrong(format!("it has to be a JSON object of documents by their SHA-256: {error}")))?;
        let mut documents = HashMap::with_capacity(listed.len());
        for (id, text) in listed {
            let is = digest(&text);
            if !bare(&id).eq_ignore_ascii_case(&is) {
                return Err(wrong(format!("the document under `{id}` has the SHA-256 {is}")));
            }
            documents.insert(is, text);
        }
        Ok(Self(documents))
    }

    /// The text of the document that a request names, or sends.
    ///
    /// # Errors
    /// Where it is none of the list.
    pub(super) fn document(&self, id: Option<&str>, text: Option<String>) -> Result<String, Refusal> {
        let refuse = |why: &str| Err(Refusal::new(StatusCode::FORBIDDEN, "FORBIDDEN", why));
        let named = match (id, &text) {
            (Some(id), _) => bare(id).to_ascii_lowercase(),
            (None, Some(text)) => digest(text),
            (None, None) => return Err(Refusal::bad_request("`query` and `documentId` are missing")),
        };
        match (self.0.get(&named), text) {
            (None, _) => refuse("this server runs trusted documents alone, and this is none of them"),
            (Some(known), Some(text)) if *known != text => {
                refuse("the document is not the one that `documentId` names")
            }
            (Some(known), _) => Ok(known.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_run_if_it_is_listed_however_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("documents.json");
        let (text, id) = ("{ __typename }", digest("{ __typename }"));
        std::fs::write(&file, serde_json::json!({ format!("sha256:{id}"): text }).to_string()).unwrap();
        let trusted = Trusted::open(&file).unwrap_or_else(|error| panic!("{error}"));
        let run = |id: Option<&str>, text: Option<&str>| trusted.document(id, text.map(str::to_owned)).ok();
        let prefixed = format!("sha256:{}", id.to_uppercase());
        for (id, sent) in [(Some(id.as_str()), None), (Some(&prefixed), Some(text)), (None, Some(text))] {
            assert_eq!(run(id, sent).as_deref(), Some(text));
        }
        for (id, sent) in [(None, Some("{ other }")), (Some("00"), None), (Some(&id), Some("{ other }")), (None, None)]
        {
            assert_eq!(run(id, sent), None);
        }

        std::fs::write(&file, serde_json::json!({ id: "{ other }" }).to_string()).unwrap();
        let message = Trusted::open(&file).err().unwrap().to_string();
        assert!(message.starts_with("ROSTER_TRUSTED_DOCUMENTS: ") && message.contains("has the SHA-256"), "{message}");
    }
}
