//! ERRORS. The one place where an error of the directory becomes one that clients see.
//!
//! [`Failure`] has no `Display` on purpose: the library turns whatever has one into a message for the client, so a `?`
//! on any other error in a resolver does not compile. What does not live here: which errors there are, and codes of
//! refusals before execution.

use async_graphql::{ErrorExtensionValues, Name, Value};

use crate::directory::{Error, Source};
use crate::filter::Violation;
use crate::filter::text::TextPlace;
use crate::value::GlobalId;

/// The most violations in one error; more would help nobody.
const VIOLATIONS: usize = 100;

/// A result of a resolver.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// An error of the directory on its way to the client.
#[derive(Clone, Debug)]
pub(crate) struct Failure(pub Error);

impl Failure {
    /// One violation of the rules for input; `path` is an argument's or input field's name.
    #[must_use]
    pub(crate) fn invalid(path: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self(Error::invalid(path, code, message))
    }

    /// There is no record of this id.
    #[must_use]
    pub(crate) fn missing<I: GlobalId>(id: I) -> Self {
        Self(Error::not_found(I::NOUN, id.to_global()))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<Failure> for async_graphql::Error {
    fn from(Failure(error): Failure) -> Self {
        match &error {
            Error::Internal(cause) => tracing::error!(error.code = error.code(), error.cause = chain(cause), "failed"),
            Error::Unavailable(cause) | Error::DiskFull(cause) => {
                tracing::warn!(error.code = error.code(), error.cause = chain(cause), "the database cannot answer");
            }
            _ => {}
        }
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", error.code());
        let mut message = error.to_string();
        if let Error::Invalid(violations) = &error {
            extensions.set("violations", Value::List(violations.iter().take(VIOLATIONS).map(show).collect()));
            if violations.len() > VIOLATIONS {
                message.push_str(&format!("; the first {VIOLATIONS} are listed"));
            }
        }
        extensions.set("retryable", error.is_retryable());
        Self { message, source: None, extensions: Some(extensions) }
    }
}

fn show(Violation { path, code, message, place }: &Violation) -> Value {
    let mut fields =
        vec![("path", path.as_str().into()), ("code", (*code).into()), ("message", message.as_str().into())];
    if let Some(place) = place {
        let TextPlace { line, column, start, end, expected, suggestion } = place.as_ref();
        let places = [("line", line), ("column", column), ("start", start), ("end", end)];
        fields.extend(places.map(|(name, number)| (name, Value::from(*number))));
        fields.push(("expected", Value::List(expected.iter().map(|item| item.as_str().into()).collect())));
        fields.push(("suggestion", suggestion.as_deref().map_or(Value::Null, Value::from)));
    }
    Value::Object(fields.into_iter().map(|(name, value)| (Name::new(name), value)).collect())
}

/// A cause with the causes behind it, for the log.
fn chain(cause: &Source) -> String {
    let mut text = cause.to_string();
    let mut next = cause.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
