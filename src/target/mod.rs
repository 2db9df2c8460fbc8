//! What a release uses that its target lacks or ignores: from a table with a source for each row.
//!
//! A target names products with their versions (`kserve=0.20,istio=1.27`), or is what a live cluster says of itself.

mod check;
mod find;
mod table;
mod version;

pub use check::{Finding, Subject, check};
pub use table::{By, Detect, Effect, Known, Limit, Product, Row, Table};
pub use version::{Target, TargetError, Version};
