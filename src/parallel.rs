//! Work on many things at once, on as many threads as the machine has processors.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, available_parallelism, scope};

/// Fewer things than this are not worth a thread.
const FEW: usize = 64;
/// The stack of a thread in bytes: that of a main thread, which nested values are measured by.
const STACK: usize = 8 * 1024 * 1024;

/// Items that a thread takes at a time: as few as the last ones, which are the largest in a release, may be.
const TAKEN: usize = 4;

/// What `work` makes of each item, in their order.
pub(crate) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = if items.len() < FEW { 1 } else { available_parallelism().map_or(1, usize::from) };
    if threads == 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    // A thread takes what is next when it has done what it took: items differ in how long they take.
    let take = || {
        let mut made: Vec<(usize, Vec<R>)> = Vec::new();
        loop {
            let start = next.fetch_add(1, Ordering::Relaxed).saturating_mul(TAKEN);
            let Some(rest) = items.get(start..).filter(|rest| !rest.is_empty()) else { return made };
            made.push((start, rest.iter().take(TAKEN).map(&work).collect()));
        }
    };
    let mut made = scope(|scope| {
        // Where no thread is to be had, the work is done all the same.
        let start = |_| Builder::new().stack_size(STACK).spawn_scoped(scope, take).ok();
        let started: Vec<_> = (1..threads).filter_map(start).collect();
        let mut made = take();
        for thread in started {
            made.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        made
    });
    made.sort_by_key(|(start, _)| *start);
    made.into_iter().flat_map(|(_, made)| made).collect()
}

/// What both make, the first on a thread of its own.
pub(crate) fn both<A: Send, B>(first: impl Fn() -> A + Sync, second: impl FnOnce() -> B) -> (A, B) {
    scope(|scope| match Builder::new().stack_size(STACK).spawn_scoped(scope, &first) {
        Ok(thread) => {
            let second = second();
            (thread.join().unwrap_or_else(|panic| resume_unwind(panic)), second)
        }
        // No thread to be had: the work is done all the same.
        Err(_) => (first(), second()),
    })
}

#[cfg(test)]
mod tests {
    use super::{both, map};

    #[test]
    fn every_item_is_worked_on_once_and_in_its_place() {
        for count in [0, 1, 63, 64, 65, 1_000] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(map(&items, |item| item * 2), (0..count).map(|item| item * 2).collect::<Vec<_>>());
        }
    }
    #[test]
    fn both_are_done_and_told_apart() {
        let done = |word: &str| format!("{word} is done");
        assert_eq!(both(|| done("one"), || done("other")), ("one is done".to_owned(), "other is done".to_owned()));
    }
}
