//! Which releases `list` shows, and in which order: Helm's rules (`pkg/action/list.go`).

use std::collections::BTreeSet;

use super::{Revision, Status};

/// Which releases are shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Statuses that are shown; every one when empty.
    pub statuses: BTreeSet<Status>,
    /// How many are passed over.
    pub offset: usize,
    /// How many are shown at most; 0 for all.
    pub max: usize,
    /// In which order.
    pub order: Order,
    /// Whether the order is turned round.
    pub reverse: bool,
}

/// The order of releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By name, then by namespace.
    #[default]
    Name,
    /// By when they were last deployed, in seconds, the oldest first; then by name.
    Date,
}

impl Filter {
    /// Whether superseded revisions alone are asked for: then all of them are shown, not only the newest of each release,
    /// which is never superseded.
    pub fn is_of_superseded(&self) -> bool {
        self.statuses.len() == 1 && self.statuses.contains(&Status::Superseded)
    }
}

/// The revisions that are shown, in order.
pub fn listed(mut revisions: Vec<Revision>, filter: &Filter) -> Vec<Revision> {
    revisions.retain(|revision| match revision.info.status {
        // As in Helm, no filter shows it.
        Status::Unknown => false,
        status => filter.statuses.is_empty() || filter.statuses.contains(&status),
    });
    let date = |revision: &Revision| match filter.order {
        Order::Name => 0,
        Order::Date => revision.info.last_deployed.map_or(i64::MIN, |time| time.unix()),
    };
    revisions.sort_by(|one, other| {
        let place =
            |revision: &Revision| (date(revision), revision.name.clone(), revision.namespace.clone(), revision.number);
        place(one).cmp(&place(other))
    });
    if filter.reverse {
        revisions.reverse();
    }
    let max = if filter.max == 0 { usize::MAX } else { filter.max };
    revisions.into_iter().skip(filter.offset).take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Info, Time};
    use super::*;
    use serde_json::Map;

    fn revision(name: &str, namespace: &str, status: Status, time: &str) -> Revision {
        Revision {
            name: name.into(),
            namespace: namespace.into(),
            info: Info { last_deployed: Time::parse(time), ..Info::new(status, "") },
            ..Revision::new(name, namespace, 1, Info::new(status, ""), None, Map::new())
        }
    }

    fn names(filter: &Filter) -> Vec<String> {
        let all = vec![
            revision("b", "one", Status::Deployed, "2026-01-01T00:00:00.9Z"),
            revision("a", "two", Status::Failed, "2026-01-01T00:00:00.1Z"),
            revision("a", "one", Status::Superseded, "2026-01-01T00:00:01Z"),
            revision("c", "one", Status::Unknown, "2026-01-01T00:00:01Z"),
        ];
        let name = |revision: Revision| format!("{}/{}", revision.namespace, revision.name);
        listed(all, filter).into_iter().map(name).collect()
    }

    #[test]
    fn releases_come_by_name_and_unknown_ones_not_at_all() {
        assert_eq!(names(&Filter::default()), ["one/a", "two/a", "one/b"]);
        assert_eq!(names(&Filter { reverse: true, ..Filter::default() }), ["one/b", "two/a", "one/a"]);
    }

    #[test]
    fn by_date_the_oldest_second_comes_first() {
        let filter = Filter { order: Order::Date, ..Filter::default() };
        assert_eq!(names(&filter), ["two/a", "one/b", "one/a"]);
    }

    #[test]
    fn some_are_passed_over_and_no_more_than_wanted_are_shown() {
        assert_eq!(names(&Filter { offset: 1, max: 1, ..Filter::default() }), ["two/a"]);
        assert_eq!(names(&Filter { offset: 9, ..Filter::default() }), [""; 0]);
    }

    #[test]
    fn only_wanted_statuses_are_shown() {
        let filter = Filter { statuses: BTreeSet::from([Status::Failed, Status::Deployed]), ..Filter::default() };
        assert_eq!(names(&filter), ["two/a", "one/b"]);
        assert!(!filter.is_of_superseded());
        assert!(Filter { statuses: BTreeSet::from([Status::Superseded]), ..Filter::default() }.is_of_superseded());
    }
}
