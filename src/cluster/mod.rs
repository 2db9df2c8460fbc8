//! The cluster: connecting, and what it says of a release. The only user of the Kubernetes client.

mod access;
mod discovery;
mod error;
mod observe;

pub use access::Access;
pub use error::ClusterError;

use kube::Client;

/// The field manager that r8 writes as: Helm's, so that both own the same fields.
pub const FIELD_MANAGER: &str = "helm";

/// A connection to one API server.
pub struct Cluster {
    client: Client,
    /// The server's address, for messages.
    server: String,
}
