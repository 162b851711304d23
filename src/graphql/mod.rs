//! CONTRACT. What clients can ask and do, as a GraphQL schema; knows the directory's verbs, and nothing of tables.
//!
//! One file or folder a noun: the object, a newtype over the row with a method for each field it shows, and the queries,
//! mutations and subscriptions of the noun, which [`Query`], [`Mutation`] and [`Subscription`] merge. [`execute`] and
//! [`subscribe`] are the ways in. What does not live here: limits of a document before it runs ([`guard`]), transport,
//! and every rule of the directory.

mod as_of;
mod association;
mod attribute;
mod change_preview;
mod changeset;
mod context;
mod directory;
mod error;
mod facet;
mod filter;
mod filter_text;
pub mod guard;
mod import;
mod import_draft;
mod import_org_units;
mod integration;
mod integration_account;
mod loader;
mod merge_suggestion;
mod mutation;
mod node;
mod order;
mod org_unit;
mod page;
pub mod permission;
mod query;
mod role;
mod scalar;
mod subscription;
mod token;
mod user;

#[cfg(test)]
mod tests;

pub use context::{Deadline, OtherSignIn};
pub use mutation::Mutation;
pub use query::Query;
pub use subscription::Subscription;

use std::any::TypeId;

use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Error, Pos, Request, Response, SDLExportOptions, Value};
use futures_util::stream::{self, BoxStream, StreamExt};

use crate::access::{Principal, Role};
use crate::directory::{Directory, Error as DirectoryError};
use error::Failure;
use loader::Loader;
use order::Order;

/// The schema. It holds no data, so one serves any number of directories.
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// Builds the schema.
///
/// The library's own limits stay as they are: [`guard`] refuses what is too large before the library looks at it.
#[must_use]
pub fn schema() -> Schema {
    Schema::build(Query::default(), Mutation::default(), Subscription::default()).finish()
}

/// The schema in the schema definition language, as `schema.graphql` holds it.
#[must_use]
pub fn sdl() -> String {
    schema().sdl_with_options(SDLExportOptions::new().include_specified_by().prefer_single_line_descriptions())
}

/// Runs one query or mutation on a directory, as fresh as any process has written it before this call.
///
/// Who asks is the [`Principal`] in the request's data, and sees what their role sees; without one, nothing is told.
pub async fn execute(schema: &Schema, directory: &Directory, mut request: Request) -> Response {
    let role = match begin(directory, &request).await {
        Ok(role) => role,
        Err(error) => return unreadable(error),
    };
    let asked = Asked::in_request(&mut request);
    let (loader, mut batches) = Loader::for_request(directory.seen_by(role));
    asked.in_order(batches.run(schema.execute(request.data(loader))).await)
}

/// Runs one subscription on a directory: a response for each event. It stops when the stream is dropped.
pub async fn subscribe(schema: &Schema, directory: &Directory, mut request: Request) -> BoxStream<'static, Response> {
    let role = match begin(directory, &request).await {
        Ok(role) => role,
        Err(error) => return stream::once(async { unreadable(error) }).boxed(),
    };
    let asked = Asked::in_request(&mut request);
    let (loader, batches) = Loader::for_request(directory.seen_by(role));
    let responses = schema.execute_stream(request.data(loader));
    stream::unfold((responses, batches, asked), async |(mut responses, mut batches, asked)| {
        let response = asked.in_order(batches.run(responses.next()).await?);
        Some((response, (responses, batches, asked)))
    })
    .boxed()
}

/// A response whose errors tell nothing of the schema: what the library says of a document names types and fields.
#[must_use]
pub fn without_schema(mut response: Response) -> Response {
    for error in &mut response.errors {
        if error.extensions.as_ref().is_none_or(|extensions| extensions.get("code").is_none()) {
            "the document does not fit this server's schema".clone_into(&mut error.message);
        }
    }
    response
}

/// Brings the directory up to date, and gives the role of whoever sends the request.
///
/// # Errors
/// `Internal`, where the request does not say who asks; where the database cannot be read.
async fn begin(directory: &Directory, request: &Request) -> Result<Role, DirectoryError> {
    let principal = request.data.get(&TypeId::of::<Principal>()).and_then(|data| data.downcast_ref::<Principal>());
    let role = principal.map(|principal| principal.role);
    directory.refresh().await?;
    role.ok_or_else(|| DirectoryError::internal("the request does not say who asks"))
}

fn unreadable(error: DirectoryError) -> Response {
    Response::from_errors(vec![Error::from(Failure(error)).into_server_error(Pos::default())])
}

/// What a request asks, kept for the order of its answers.
struct Asked {
    document: Option<ExecutableDocument>,
    operation: Option<String>,
}

impl Asked {
    fn in_request(request: &mut Request) -> Self {
        Self { document: request.parsed_query().ok().cloned(), operation: request.operation_name.clone() }
    }

    fn in_order(&self, mut response: Response) -> Response {
        // Without data the document may not have passed validation.
        if let Some(document) = self.document.as_ref().filter(|_| response.data != Value::Null) {
            Order::of(document, self.operation.as_deref()).sort(&mut response.data);
        }
        response
    }
}
