//! r8 against a real API server; see `harness` for which one, and for what is skipped without one.

#[path = "../parts/build.rs"]
mod build;
mod diff;
mod ground;
mod harness;
mod iter8;
mod proxy;
mod recorder;
mod requests;
mod rules;
mod shares;
#[path = "../parts/wanted.rs"]
mod wanted;
