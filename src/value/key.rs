//! Values as bytes that compare as the values do.

use chrono::{Datelike, NaiveDate};
use entity::attribute::AttributeType;
use uuid::Uuid;

use super::{Value, fold};

/// A value as the index and filters compare it: bytes whose order and equality are the value's.
///
/// Text is folded; a number is 8 bytes and a day 4, big-endian and sign-flipped; a boolean is one byte; a user is the
/// 16 bytes of the id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Box<[u8]>);

impl Key {
    /// The key of text, which is folded first.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self(fold(text).into_bytes().into())
    }

    /// The key of text that is compared as it stands, such as an email in its normal form.
    #[must_use]
    pub fn verbatim(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The key of a finite number.
    #[must_use]
    pub fn number(number: f64) -> Self {
        // Adding zero makes -0 and 0 one value.
        let bits = (number + 0.0).to_bits();
        let ordered = if bits >> 63 == 0 { bits | 1 << 63 } else { !bits };
        Self(Box::new(ordered.to_be_bytes()))
    }

    /// The key of a truth value; false comes first.
    #[must_use]
    pub fn boolean(truth: bool) -> Self {
        Self(Box::new([u8::from(truth)]))
    }

    /// The key of a day.
    #[must_use]
    pub fn date(day: NaiveDate) -> Self {
        let ordered = day.num_days_from_ce().cast_unsigned() ^ (1 << 31);
        Self(Box::new(ordered.to_be_bytes()))
    }

    /// The key of a user.
    #[must_use]
    pub fn user(id: Uuid) -> Self {
        Self(Box::new(*id.as_bytes()))
    }

    /// The keys of a value in a stored document (`user.attributes`): one, or one per option of `MULTI_SELECT`; none
    /// where the document does not hold what `r#type` says.
    #[must_use]
    pub fn of_stored(r#type: AttributeType, stored: &serde_json::Value) -> Vec<Self> {
        match Value::from_stored(r#type, stored) {
            Some(value) => value.keys(),
            None => Vec::new(),
        }
    }

    /// The number that this is the key of, where it has a number's shape.
    #[must_use]
    pub fn to_number(&self) -> Option<f64> {
        let ordered = u64::from_be_bytes(self.0.as_ref().try_into().ok()?);
        Some(f64::from_bits(if ordered >> 63 == 1 { ordered & !(1 << 63) } else { !ordered }))
    }

    /// The day that this is the key of, where it has a day's shape.
    #[must_use]
    pub fn to_date(&self) -> Option<NaiveDate> {
        let ordered = u32::from_be_bytes(self.0.as_ref().try_into().ok()?);
        NaiveDate::from_num_days_from_ce_opt((ordered ^ (1 << 31)).cast_signed())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Value {
    /// The value that a stored document holds, if it holds one of this type.
    #[must_use]
    pub fn from_stored(r#type: AttributeType, stored: &serde_json::Value) -> Option<Self> {
        match r#type {
            AttributeType::Text | AttributeType::Select | AttributeType::Email | AttributeType::Url => {
                stored.as_str().map(|text| Self::Text(text.to_owned()))
            }
            AttributeType::Number => stored.as_f64().map(Self::Number),
            AttributeType::Boolean => stored.as_bool().map(Self::Boolean),
            AttributeType::Date => stored.as_str()?.parse().ok().map(Self::Date),
            AttributeType::MultiSelect => {
                let options: Option<Vec<String>> =
                    stored.as_array()?.iter().map(|option| option.as_str().map(str::to_owned)).collect();
                options.map(Self::Options)
            }
            AttributeType::User => Uuid::try_parse(stored.as_str()?).ok().map(|id| Self::User(entity::UserId(id))),
            AttributeType::Integration => None,
        }
    }

    /// The value as a stored document holds it.
    #[must_use]
    pub fn to_stored(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            // A whole number is stored without a fraction, so that 3 stays "3" wherever the document is shown; and as far
            // as integers reach, since PostgreSQL gives back digits where an exponent was written.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked to be whole and in range"
            )]
            Self::Number(number) if number.fract() == 0.0 && (0.0..18_446_744_073_709_551_616.0).contains(number) => {
                (*number as u64).into()
            }
            #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
            Self::Number(number) if number.fract() == 0.0 && (-9_223_372_036_854_775_808.0..0.0).contains(number) => {
                (*number as i64).into()
            }
            Self::Number(number) => (*number).into(),
            Self::Boolean(truth) => (*truth).into(),
            Self::Date(day) => day.to_string().into(),
            Self::Options(options) => options.as_slice().into(),
            Self::User(id) => id.0.simple().to_string().into(),
        }
    }

    /// The keys that the value is found by: one, or one per option of `MULTI_SELECT`.
    #[must_use]
    pub fn keys(&self) -> Vec<Key> {
        match self {
            Self::Text(text) => vec![Key::text(text)],
            Self::Number(number) => vec![Key::number(*number)],
            Self::Boolean(truth) => vec![Key::boolean(*truth)],
            Self::Date(day) => vec![Key::date(*day)],
            Self::Options(options) => options.iter().map(|option| Key::text(option)).collect(),
            Self::User(id) => vec![Key::user(id.0)],
        }
    }
}
