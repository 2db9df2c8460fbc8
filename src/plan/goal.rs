//! What a user wants of an apply beside the objects themselves.

use std::time::Duration;

/// Who writes the route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Routing {
    /// r8, unless the live route is the Iter8 controller's: that one is left to it.
    #[default]
    Auto,
    /// r8, beside a routemap.
    Both,
    /// The Iter8 controller.
    Routemap,
    /// r8 alone; the route is taken from the controller, and the routemap goes.
    Route,
}

/// What a user wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    /// Who writes the route.
    pub routing: Routing,
    /// Whether versions are waited for.
    pub wait: bool,
    /// How long they are, from the start of the command.
    pub timeout: Duration,
    /// How long requests may still come to a version after the route without it is in force.
    pub drain: Duration,
    /// How long a status must stay as it is to count for what nothing can prove.
    pub settle: Duration,
    /// Whether a live release may lose its route.
    pub remove_route: bool,
    /// Whether objects of others, or of nobody, are taken.
    pub take_ownership: bool,
    /// Whether fields of others are taken.
    pub force_conflicts: bool,
}

impl Default for Goal {
    /// The defaults of the command line.
    fn default() -> Goal {
        Goal {
            routing: Routing::Auto,
            wait: true,
            timeout: Duration::from_secs(600),
            drain: Duration::from_secs(10),
            settle: Duration::from_secs(10),
            remove_route: false,
            take_ownership: false,
            force_conflicts: false,
        }
    }
}
