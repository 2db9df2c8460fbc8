//! Work on many things at once, on as many threads as the machine has processors.

use std::panic::resume_unwind;
use std::thread::{Builder, available_parallelism, scope};

/// Fewer things than this are not worth a thread.
const FEW: usize = 64;
/// The stack of a thread in bytes: that of a main thread, which nested values are measured by.
const STACK: usize = 8 * 1024 * 1024;

/// What `work` makes of each item, in their order.
pub(crate) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = if items.len() < FEW { 1 } else { available_parallelism().map_or(1, usize::from) };
    if threads == 1 {
        return items.iter().map(work).collect();
    }
    let all = |part: &[T]| -> Vec<R> { part.iter().map(&work).collect() };
    let all = &all;
    let (own, others) = items.split_at(items.len().div_ceil(threads));
    scope(|scope| {
        let started: Vec<_> = others
            .chunks(own.len())
            .map(|part| (part, Builder::new().stack_size(STACK).spawn_scoped(scope, move || all(part))))
            .collect();
        let mut made = all(own);
        for (part, thread) in started {
            made.extend(match thread {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // No thread to be had: the work is done all the same.
                Err(_) => all(part),
            });
        }
        made
    })
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
