//! Orders, and places in them that outlive the user they were taken from.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::UserId;
use uuid::Uuid;

/// By what users are listed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OrderBy {
    /// The folded name, then the id.
    Name,
    /// The primary email.
    Email,
    /// The id, which is when the record was made.
    Created,
    /// The value of the custom attribute of this key, then the folded name, then the id; users without a value last.
    Attribute(String),
}

/// In what order users are listed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    /// By what.
    pub by: OrderBy,
    /// The exact reverse.
    pub descending: bool,
}

/// A place in an order: what a user was sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(super) by: OrderBy,
    /// The value that an attribute order sorts by; none comes last.
    pub(super) value: Option<Vec<u8>>,
    /// The folded name; in the order by email the email; in the order by id nothing.
    pub(super) text: Vec<u8>,
    pub(super) id: UserId,
}

/// A text is not a cursor of the order it is used with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotACursor {
    /// Nothing that [`Cursor::encode`] wrote.
    #[error("the cursor cannot be read; take one from `pageInfo` or an edge")]
    Unreadable,
    /// It is a place in another order.
    #[error("the cursor belongs to another order; start again without it")]
    OtherOrder,
}

impl Cursor {
    /// The user it was taken from.
    #[must_use]
    pub fn id(&self) -> UserId {
        self.id
    }

    /// The cursor as text for a URL.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = vec![1];
        let key = match &self.by {
            OrderBy::Name => b'n',
            OrderBy::Email => b'e',
            OrderBy::Created => b'c',
            OrderBy::Attribute(_) => b'a',
        };
        bytes.push(key);
        if let OrderBy::Attribute(key) = &self.by {
            put(&mut bytes, key.as_bytes());
            bytes.push(u8::from(self.value.is_some()));
            put(&mut bytes, self.value.as_deref().unwrap_or_default());
        }
        put(&mut bytes, &self.text);
        bytes.extend_from_slice(self.id.0.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor that is to be used with `order`.
    ///
    /// # Errors
    /// [`NotACursor`], where it is none or one of another order.
    pub fn decode(text: &str, order: &Order) -> Result<Self, NotACursor> {
        let cursor = Self::read(text).ok_or(NotACursor::Unreadable)?;
        if cursor.by == order.by { Ok(cursor) } else { Err(NotACursor::OtherOrder) }
    }

    fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let [1, kind, rest @ ..] = bytes.as_slice() else { return None };
        let mut rest = rest;
        let mut value = None;
        let by = match kind {
            b'n' => OrderBy::Name,
            b'e' => OrderBy::Email,
            b'c' => OrderBy::Created,
            b'a' => {
                let key = std::str::from_utf8(take(&mut rest)?).ok()?.to_owned();
                let (has_value, after) = rest.split_first()?;
                rest = after;
                value = Some(take(&mut rest)?.to_vec()).filter(|_| *has_value == 1);
                OrderBy::Attribute(key)
            }
            _ => return None,
        };
        let text = take(&mut rest)?.to_vec();
        let id = UserId(Uuid::from_slice(rest).ok()?);
        Some(Self { by, value, text, id })
    }
}

/// Writes a part with its length.
pub(super) fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&super::ordinal(part.len()).to_be_bytes());
    bytes.extend_from_slice(part);
}

/// Reads a part that [`put`] wrote.
pub(super) fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, after) = rest.split_first_chunk::<4>()?;
    let (part, after) = after.split_at_checked(u32::from_be_bytes(*len) as usize)?;
    *rest = after;
    Some(part)
}
