//! CONTRACT. What clients can ask and do, as a GraphQL schema; knows the directory's verbs, and nothing of tables.
//!
//! One file or folder a noun: the object, a newtype over the row with a method for each field it shows, and the queries
//! and mutations of the noun, which [`Query`] and [`Mutation`] merge. [`execute`] is the one way in. What does not live
//! here: limits of a document before it runs ([`guard`]), transport, and every rule of the directory.

mod attribute;
mod changeset;
mod context;
mod directory;
mod error;
mod filter;
pub mod guard;
mod import;
mod integration;
mod integration_account;
mod loader;
mod mutation;
mod node;
mod order;
mod org_unit;
mod page;
mod query;
mod scalar;
mod user;

#[cfg(test)]
mod tests;

pub use mutation::Mutation;
pub use query::Query;

use async_graphql::{EmptySubscription, Error, Pos, Request, Response, SDLExportOptions, Value};

use crate::directory::Directory;
use error::Failure;
use loader::Loader;
use order::Order;

/// The schema. It holds no data, so one serves any number of directories.
pub type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

/// Builds the schema.
///
/// The library's own limits stay as they are: [`guard`] refuses what is too large before the library looks at it.
#[must_use]
pub fn schema() -> Schema {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription).finish()
}

/// The schema in the schema definition language, as `schema.graphql` holds it.
#[must_use]
pub fn sdl() -> String {
    schema().sdl_with_options(SDLExportOptions::new().include_specified_by().prefer_single_line_descriptions())
}

/// Runs one document on a directory, as fresh as any process has written it before this call.
///
/// Who makes the changes is the [`Actor`](crate::directory::Actor) in the request's data; without one it is `api`.
pub async fn execute(schema: &Schema, directory: &Directory, mut request: Request) -> Response {
    if let Err(error) = directory.refresh().await {
        return Response::from_errors(vec![Error::from(Failure(error)).into_server_error(Pos::default())]);
    }
    let document = request.parsed_query().ok().cloned();
    let operation = request.operation_name.clone();
    let (loader, batches) = Loader::for_request(directory.clone());
    let mut response = batches.run(schema.execute(request.data(loader))).await;
    // Without data the document may not have passed validation.
    if let Some(document) = document.filter(|_| response.data != Value::Null) {
        Order::of(&document, operation.as_deref()).sort(&mut response.data);
    }
    response
}
