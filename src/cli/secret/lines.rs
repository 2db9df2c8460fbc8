//! The lines of one text, looked at once for many messages about it.

use std::cell::OnceCell;

use super::outline::Outline;
use super::{form, indentation, of_address, of_key};

/// The lines of a whole text, so that it is known of each whether it lies below the key of a secret.
pub(in crate::cli) struct Lines<'a> {
    all: Vec<&'a str>,
    outline: OnceCell<Outline<'a>>,
    /// Which are the body of a private key.
    bodies: OnceCell<Vec<bool>>,
}

impl<'a> Lines<'a> {
    /// Takes the lines of a text.
    pub fn of(all: Vec<&'a str>) -> Lines<'a> {
        Lines { all, outline: OnceCell::new(), bodies: OnceCell::new() }
    }

    /// A line, by its number from 0.
    pub fn get(&self, index: usize) -> Option<&'a str> {
        self.all.get(index).copied()
    }

    /// How many characters of a line may be shown; all of them when none.
    pub fn visible(&self, index: usize) -> Option<usize> {
        let line = self.get(index)?;
        let bodies = self.bodies.get_or_init(|| form::bodies(&self.all));
        if bodies.get(index) == Some(&true) {
            return Some(indentation(line));
        }
        let outline = self.outline.get_or_init(|| Outline::of(&self.all));
        match of_key(&self.all, index, outline) {
            Some(count) => Some(count.min(of_address(line).unwrap_or(count))),
            None => of_address(line),
        }
    }
}
