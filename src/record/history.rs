//! What follows from the revisions that a release has: the next number, what is live, what goes, what to go back to.

use super::Status;

/// A revision, of which number and status are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its number.
    pub number: u64,
    /// What became of it.
    pub status: Status,
}

/// The number of the next revision: one is never used again while its record is there.
pub fn next_number(entries: &[Entry]) -> u64 {
    last(entries).map_or(1, |last| last.number + 1)
}

/// The newest revision.
pub fn last(entries: &[Entry]) -> Option<Entry> {
    entries.iter().copied().max_by_key(|entry| entry.number)
}

/// The newest revision that is deployed: two of them are left where two tools ran at once.
pub fn deployed(entries: &[Entry]) -> Option<Entry> {
    let deployed = entries.iter().copied().filter(|entry| entry.status == Status::Deployed);
    deployed.max_by_key(|entry| entry.number)
}

/// The revision that the next one starts from, as Helm takes it (`pkg/action/upgrade.go`, `prepareUpgrade`): the deployed
/// one, else the last if it failed or was superseded; none after an uninstallation.
pub fn current(entries: &[Entry]) -> Option<Entry> {
    let ended = |entry: &Entry| matches!(entry.status, Status::Failed | Status::Superseded);
    deployed(entries).or_else(|| last(entries).filter(ended))
}

/// The revisions to delete before another one is created, so that `max` remain with it: the oldest first, never the
/// deployed one. A `max` of 0 keeps all.
pub fn pruned(entries: &[Entry], max: usize) -> Vec<u64> {
    if max == 0 {
        return Vec::new();
    }
    let deployed = deployed(entries).map(|entry| entry.number);
    let mut numbers: Vec<u64> = entries.iter().map(|entry| entry.number).collect();
    numbers.sort_unstable();
    let excess = numbers.len().saturating_sub(max - 1);
    numbers.into_iter().filter(|number| Some(*number) != deployed).take(excess).collect()
}

/// The revision to go back to: the wanted one, else the newest before the last that was live; none when that is not there.
///
/// Helm takes the one before the last even where that one failed.
pub fn rollback_target(entries: &[Entry], wanted: Option<u64>) -> Option<Entry> {
    let last = last(entries)?.number;
    let was_live = |entry: &Entry| {
        entry.number < last && matches!(entry.status, Status::Deployed | Status::Superseded | Status::Uninstalled)
    };
    let found = entries.iter().copied().filter(|entry| match wanted {
        Some(number) => entry.number == number,
        None => was_live(entry),
    });
    found.max_by_key(|entry| entry.number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Deployed, Failed, PendingUpgrade, Superseded, Uninstalled};
    use proptest::prelude::*;

    fn entries(list: &[(u64, Status)]) -> Vec<Entry> {
        list.iter().map(|(number, status)| Entry { number: *number, status: *status }).collect()
    }

    #[test]
    fn the_next_number_follows_the_highest_there_is() {
        assert_eq!(next_number(&[]), 1);
        assert_eq!(next_number(&entries(&[(10, Failed), (9, Deployed)])), 11);
    }

    #[test]
    fn the_next_revision_starts_from_what_helm_starts_from() {
        let current = |list: &[(u64, Status)]| current(&entries(list)).map(|entry| entry.number);
        assert_eq!(current(&[(1, Superseded), (2, Deployed), (3, Failed)]), Some(2));
        assert_eq!(current(&[(1, Deployed), (2, Deployed)]), Some(2));
        assert_eq!(current(&[(1, Superseded), (2, Failed)]), Some(2));
        assert_eq!(current(&[(1, Superseded), (2, Uninstalled)]), None);
        assert_eq!(current(&[(1, PendingUpgrade)]), None);
    }

    #[test]
    fn the_oldest_go_and_the_deployed_one_stays() {
        let list = entries(&[(1, Deployed), (2, Failed), (3, Failed), (4, Failed)]);
        assert_eq!(pruned(&list, 3), [2, 3]);
        assert_eq!(pruned(&list, 1), [2, 3, 4]);
        assert_eq!(pruned(&list, 5), [0; 0]);
        assert_eq!(pruned(&list, 0), [0; 0]);
    }

    #[test]
    fn without_a_number_the_newest_before_the_last_that_was_live_is_gone_back_to() {
        let list = entries(&[(3, Superseded), (4, Deployed)]);
        assert_eq!(rollback_target(&list, None).map(|entry| entry.number), Some(3));
        assert_eq!(rollback_target(&list, Some(4)).map(|entry| entry.number), Some(4));
        assert_eq!(rollback_target(&list, Some(2)), None);
        assert_eq!(rollback_target(&entries(&[(1, Deployed)]), None), None);
        let failed = entries(&[(1, Superseded), (2, Deployed), (3, Failed), (4, Failed)]);
        assert_eq!(rollback_target(&failed, None).map(|entry| entry.number), Some(2));
    }

    proptest! {
        #[test]
        fn as_many_remain_as_are_wanted(count in 0_u64..20, live in 0_u64..20, max in 1_usize..12) {
            let status = |number| if number == live { Deployed } else { Superseded };
            let list: Vec<Entry> = (1..=count).map(|number| Entry { number, status: status(number) }).collect();
            let gone = pruned(&list, max);
            prop_assert!(!gone.contains(&live));
            let kept = list.len() - gone.len() + 1;
            // Helm counts the deployed one, but would not delete it for a limit of 1.
            prop_assert!(kept <= max.max(2));
        }
    }
}
