//! Merging as Helm does it (`MergeMaps` in `pkg/chart/v2/loader`).

use super::{Kind, Node};

/// Merges `upper` over `lower`: maps key by key; anything else replaces, a `null` too, which is kept.
pub(super) fn merge(lower: &mut Node, upper: Node) {
    match (&mut lower.kind, upper.kind) {
        (Kind::Map(below), Kind::Map(above)) => {
            for (key, entry) in above {
                match below.get_mut(&key) {
                    Some(old) => {
                        old.key = entry.key;
                        merge(&mut old.value, entry.value);
                    }
                    None => {
                        below.insert(key, entry);
                    }
                }
            }
        }
        (_, kind) => *lower = Node { kind, origin: upper.origin },
    }
}
