//! What a person says of one column of a file, in one argument: `HEADER=…`.

use std::str::FromStr;

use crate::directory::csv::Source;
use crate::value::DateFormat;

/// A header, and what its column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column(pub String, pub Source);

/// What may stand after the header.
const FORMS: &str = "`ignore`, `id`, `attribute:KEY`, `attribute:KEY:DATEFORMAT` or `integration:NAME`";

impl FromStr for Column {
    type Err = String;

    /// Reads `HEADER=attribute:KEY`, `HEADER=attribute:KEY:DATEFORMAT`, `HEADER=integration:NAME`, `HEADER=id` or
    /// `HEADER=ignore`. A header may hold `=`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut splits = text.match_indices('=').map(|(at, _)| (text[..at].trim(), text[at + 1..].trim()));
        let Some(first) = splits.clone().next() else {
            return Err(format!("`=` is missing; write HEADER={FORMS}"));
        };
        let (header, source) = splits.find(|(_, source)| begins_like_a_source(source)).unwrap_or(first);
        if header.is_empty() {
            return Err("the header before `=` is missing; write it as the file's first row has it".to_owned());
        }
        Ok(Self(header.to_owned(), read_source(source)?))
    }
}

fn begins_like_a_source(text: &str) -> bool {
    matches!(text, "ignore" | "id") || text.starts_with("attribute:") || text.starts_with("integration:")
}

fn read_source(text: &str) -> Result<Source, String> {
    match text.split_once(':') {
        None if text == "ignore" => Ok(Source::Ignore),
        None if text == "id" => Ok(Source::Id),
        Some(("integration", name)) if !name.trim().is_empty() => Ok(Source::Integration(name.trim().to_owned())),
        Some(("integration", _)) => Err("the name is missing; write integration:NAME".to_owned()),
        Some(("attribute", rest)) => {
            let (key, format) = rest.split_once(':').map_or((rest, None), |(key, format)| (key, Some(format)));
            if key.trim().is_empty() {
                return Err("the key is missing; write attribute:KEY".to_owned());
            }
            let date_format = format.map(DateFormat::parse).transpose()?;
            Ok(Source::Attribute { key: key.trim().to_owned(), date_format })
        }
        _ => Err(format!("`{text}` says nothing of a column; after `=` write {FORMS}")),
    }
}
