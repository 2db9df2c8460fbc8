//! Values: texts of files and `--set` flags, merged into one tree that knows where each part comes from.

mod node;
mod origin;

pub use node::{Entry, Kind, Map, Node};
pub use origin::{Origin, Source, SourceName};
