//! What a person says of one column of a file, in one argument: `HEADER=…`.

use std::str::FromStr;

use entity::attribute::AttributeType;

use crate::directory::NewAttribute;
use crate::directory::csv::ColumnSource;
use crate::value::DateFormat;

/// A header, and what its column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column(pub String, pub ColumnSource);

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

fn read_source(text: &str) -> Result<ColumnSource, String> {
    match text.split_once(':') {
        None if text == "ignore" => Ok(ColumnSource::Ignore),
        None if text == "id" => Ok(ColumnSource::Id),
        Some(("integration", name)) if !name.trim().is_empty() => Ok(ColumnSource::Integration(name.trim().to_owned())),
        Some(("integration", _)) => Err("the name is missing; write integration:NAME".to_owned()),
        Some(("attribute", rest)) => {
            let (key, format) = rest.split_once(':').map_or((rest, None), |(key, format)| (key, Some(format)));
            if key.trim().is_empty() {
                return Err("the key is missing; write attribute:KEY".to_owned());
            }
            let date_format = format.map(DateFormat::parse).transpose()?;
            Ok(ColumnSource::Attribute { key: key.trim().to_owned(), date_format })
        }
        _ => Err(format!("`{text}` says nothing of a column; after `=` write {FORMS}")),
    }
}

/// A header, and the attribute that its column becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewColumn(pub String, pub NewAttribute);

impl FromStr for NewColumn {
    type Err = String;

    /// Reads `HEADER=TYPE` or `HEADER=TYPE:OPTION;OPTION`. A header may hold `=`.
    fn from_str(text: &str) -> Result<Self, String> {
        let form = "HEADER=TYPE, or HEADER=select:OPTION;OPTION";
        let (header, rest) = text.rsplit_once('=').ok_or_else(|| format!("`=` is missing; write {form}"))?;
        let (name, options) = rest.split_once(':').unwrap_or((rest, ""));
        let r#type = match name.trim() {
            "text" => AttributeType::Text,
            "number" => AttributeType::Number,
            "boolean" => AttributeType::Boolean,
            "date" => AttributeType::Date,
            "select" => AttributeType::Select,
            "multi-select" => AttributeType::MultiSelect,
            "user" => AttributeType::User,
            "email" => AttributeType::Email,
            "url" => AttributeType::Url,
            other => {
                let types = "text, number, boolean, date, select, multi-select, user, email or url";
                return Err(format!("`{other}` is no type; write {types}"));
            }
        };
        let header = header.trim().to_owned();
        let options = options.split(';').map(str::trim).filter(|option| !option.is_empty());
        let new = NewAttribute {
            title: header.clone(),
            key: None,
            r#type,
            description: String::new(),
            options: options.map(str::to_owned).collect(),
            is_required: false,
            is_unique: false,
            readable_by: None,
            position: None,
        };
        Ok(Self(header, new))
    }
}
