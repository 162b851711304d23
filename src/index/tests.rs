//! The index against the plain evaluator, and against itself built afresh.

mod complete;
mod copies;
mod days;
mod directory;
mod draw;
mod explain;
mod facets;
mod laws;
mod marks;
mod named;
mod reports;
mod tally;
mod tree;
mod unused;
