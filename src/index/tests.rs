//! The index against the plain evaluator, and against itself built afresh.

mod directory;
mod draw;
mod laws;
mod named;
