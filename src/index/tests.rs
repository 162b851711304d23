//! The index against the plain evaluator, and against itself built afresh.

mod copies;
mod directory;
mod draw;
mod laws;
mod named;
