//! Connectors, against a server that speaks as the tools do.

mod faults; // what tools and networks do wrong, and what is said of it
mod git; // repositories, plain and hostile
mod stand_in; // the server, and how a tool is read
mod tls; // certificates
mod tools; // each tool, page by page
mod vendor; // the vendors' own clients and descriptions take what the stand-in says
