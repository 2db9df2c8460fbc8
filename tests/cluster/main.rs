//! r8 against a real API server; see `harness` for which one, and for what is skipped without one.

mod apply;
mod connect;
#[path = "../parts/control_plane.rs"]
mod control_plane;
mod credentials;
mod delete;
mod diff;
mod explain;
mod given;
mod ground;
mod harness;
mod iter8;
#[path = "../parts/mod.rs"]
mod parts;
mod proxy;
#[path = "../pty/mod.rs"]
mod pty;
mod readme;
mod recorder;
mod records;
mod requests;
mod rights;
mod rules;
mod shares;
mod shop;
mod status;
mod target;
mod terminal;
