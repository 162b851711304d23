//! CREDENTIALS in the API: they are given, and never given back, not even to say that one is malformed.

use std::borrow::Cow;

use async_graphql::registry::Registry;
use async_graphql::{Enum, InputType, InputValueError, InputValueResult, OneofObject, SimpleObject, Value};
use entity::integration_credential;

use crate::directory::{NewCredential, Secret};
use crate::graphql::scalar::DateTime;

/// What proves that an integration's tool may be read. Nothing gives it back.
#[derive(Clone, OneofObject)]
pub(crate) enum IntegrationCredentialInput {
    /// The secret itself, such as a token. It is encrypted before it is stored, which needs a key of the server's
    /// (`ROSTER_SECRET_KEY`).
    Secret(String),
    /// The name of a variable in the server's environment that holds the secret. It begins with `ROSTER_CREDENTIAL_`.
    Environment(String),
}

/// An input of which no error tells what was given.
#[derive(Clone, Debug)]
pub(crate) struct Untold<T>(pub(crate) T);

impl<T: InputType> InputType for Untold<T> {
    type RawValueType = T::RawValueType;

    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let untold = |_| InputValueError::custom("a credential is either {secret: \"…\"} or {environment: \"…\"}");
        T::parse(value).map(Self).map_err(untold)
    }

    fn to_value(&self) -> Value {
        Value::Null
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        self.0.as_raw_value()
    }
}

/// Where the secret of a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(crate) enum CredentialSource {
    /// Stored, encrypted.
    Stored,
    /// In the server's environment.
    Environment,
}

/// What may be told of an integration's credential. The secret may not.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct IntegrationCredential {
    /// Where the secret is.
    source: CredentialSource,
    /// The variable that holds the secret; null for one that is stored.
    environment: Option<String>,
    /// When it was set.
    set_at: DateTime,
    /// Who set it.
    set_by: String,
}

impl std::fmt::Debug for IntegrationCredentialInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Secret(_) => f.write_str("Secret(…)"),
            Self::Environment(name) => f.debug_tuple("Environment").field(name).finish(),
        }
    }
}

impl From<Untold<IntegrationCredentialInput>> for NewCredential {
    fn from(Untold(input): Untold<IntegrationCredentialInput>) -> Self {
        match input {
            IntegrationCredentialInput::Secret(text) => Self::Secret(Secret::new(text)),
            IntegrationCredentialInput::Environment(name) => Self::Environment(name),
        }
    }
}

impl From<integration_credential::Model> for IntegrationCredential {
    fn from(row: integration_credential::Model) -> Self {
        let source = if row.environment.is_some() { CredentialSource::Environment } else { CredentialSource::Stored };
        Self { source, environment: row.environment, set_at: DateTime(row.set_at), set_by: row.set_by }
    }
}
