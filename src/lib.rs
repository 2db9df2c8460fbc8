//! r8 makes a safe progressive release on Kubernetes from one values file.
//!
//! The program is a pipeline; arrows never turn back, and `tests/layering.rs` holds every module to its place:
//!
//! ```text
//!  argv ──► Args ──► Request                                    cli
//!                      │ sources, in order
//!                      ▼
//!  -f FILE | -f - | --set …   ──►  Values                       values     a tree whose nodes know where they come from
//!                                    │ the environment's key table          templates
//!                                    ▼
//!                                 ReleaseSpec                   spec       typed, valid, defaults filled
//!                                    │ + templates
//!                                    ▼
//!                         Manifests  +  Route                   render     objects with roles; a route with open weights
//!                                    │
//!                          ┌─────────┴─────────┐
//!                          ▼                   ▼
//!                        print       cluster.observe ─► Observed  cluster  live, dry run, what is left behind
//!                                              ▼
//!                                   plan(…) ─► Plan             plan       changes, steps, traffic; pure
//!                          ┌───────────────────┤
//!                          ▼                   ▼
//!                   diff (prints it)     next(…) ─► Next ◄┐     plan       pure: what comes next by what was seen
//!                                          └► cluster ────┘     cluster    does it and reports; keeps the record
//! ```
//!
//! `readiness` reads from the status of an object alone whether it takes requests, and with which spec.
//! `schema` tells editors what a values file may hold, from the same key tables.
//! `target` knows what of a release the products that it is to run on lack or ignore, by their versions.
//! `record` is what a cluster keeps of each revision of a release, in Helm's form.
//! `findings` is what a command has found, in the forms of the machines that show it.
//! `manifest` and `route` are the nouns that stages hand on; they know nothing of values or templates. `scalar` is the
//! dialect of YAML that the readers of `values` and `manifest` share, `parallel` the threads that many objects are made,
//! compared and written on, `re2` the expressions of matches, which `spec` checks and `route` evaluates.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used))]

pub mod cli;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod diff;
pub mod findings;
pub mod manifest;
mod parallel;
pub mod plan;
mod re2;
pub mod readiness;
#[cfg(feature = "cluster")]
pub mod record;
pub mod render;
pub mod route;
mod scalar;
pub mod schema;
pub mod spec;
pub mod target;
pub mod templates;
pub mod values;
