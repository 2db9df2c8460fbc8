//! Puts a value where a path leads, and makes what is not there yet.

use super::scanner::{Scanner, Step};
use crate::values::error::{SetProblem, ValuesError, ValuesProblem};
use crate::values::yaml::{MAX_DEPTH, Spent, kind_name, measure};
use crate::values::{Entry, Kind, Map, Node, Origin};

/// Puts a value at its place; maps and lists on the way are made, a list's missing items are `null`.
pub(super) fn put(
    root: &mut Node,
    path: &[Step],
    value: Node,
    scanner: &Scanner,
    start: usize,
    spent: &mut Spent,
) -> Result<(), ValuesError> {
    let origin = scanner.origin(start, scanner.at.saturating_sub(start + 1));
    if path.len() + measure(&value).1 > MAX_DEPTH + 1 {
        return Err(ValuesError { problem: ValuesProblem::Depth(MAX_DEPTH), origin });
    }
    let mut place = root;
    for (depth, step) in path.iter().enumerate() {
        let fits = match (step, &place.kind) {
            (Step::Key(_), Kind::Map(_)) | (Step::Index(_), Kind::List(_)) => true,
            // An item of a list is replaced without a word, as in Helm.
            _ => depth > 0 && matches!(path.get(depth - 1), Some(Step::Index(_))) || is_new(place),
        };
        if !fits {
            let found = kind_name(place);
            let problem = match step {
                Step::Key(key) => SetProblem::NoMap { key: key.clone(), found },
                Step::Index(index) => SetProblem::NoList { index: *index, found },
            };
            return Err(scanner.error(start, problem));
        }
        place = match step {
            Step::Key(key) => {
                if place.as_map().is_none() {
                    *place = Node { kind: Kind::Map(Map::new()), origin };
                }
                let Kind::Map(map) = &mut place.kind else { return Ok(()) };
                let entry = map.entry(key.clone()).or_insert_with(|| Entry { key: origin, value: new(origin) });
                &mut entry.value
            }
            Step::Index(index) => {
                if place.as_list().is_none() {
                    *place = Node { kind: Kind::List(Vec::new()), origin };
                }
                let Kind::List(list) = &mut place.kind else { return Ok(()) };
                let filled = (index + 1).saturating_sub(list.len());
                spent.nodes(filled).map_err(|problem| ValuesError { problem, origin })?;
                while list.len() <= *index {
                    list.push(Node { kind: Kind::Null, origin });
                }
                let Some(item) = list.get_mut(*index) else { return Ok(()) };
                item
            }
        };
    }
    *place = value;
    Ok(())
}

/// A place that a path has just made: a map without entries, at no line of its source.
fn new(origin: Origin) -> Node {
    Node { kind: Kind::Null, origin: Origin { line: 0, ..origin } }
}

fn is_new(node: &Node) -> bool {
    node.kind == Kind::Null && node.origin.line == 0
}
