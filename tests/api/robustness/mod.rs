//! No input makes the service fail, hang or perform another operation.

mod corpus;
mod edges;
mod properties;
mod smuggling;
mod targets;
