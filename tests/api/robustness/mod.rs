//! No input makes the service fail, hang or do what it was not asked to.

mod corpus;
mod edges;
mod properties;
mod smuggling;
mod targets;
