//! The lines of one text, looked at once for many messages about it.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

use super::outline::Outline;
use super::{armour, flag, indentation, of_address, of_key};

/// The lines of a whole text, so that it is known of each whether it lies below the key of a secret.
pub(in crate::cli) struct Lines<'a> {
    all: Vec<&'a str>,
    outline: OnceCell<Outline<'a>>,
    /// Which are the body of a private key.
    bodies: OnceCell<Vec<bool>>,
    /// How much of each may be shown by the flags in them.
    flags: OnceCell<Vec<Option<usize>>>,
    /// What has been found of a line: many messages may be about one that is long.
    found: RefCell<HashMap<usize, Option<usize>>>,
}

impl<'a> Lines<'a> {
    /// Takes the lines of a text.
    pub fn of(all: Vec<&'a str>) -> Lines<'a> {
        Lines {
            all,
            outline: OnceCell::new(),
            bodies: OnceCell::new(),
            flags: OnceCell::new(),
            found: RefCell::default(),
        }
    }

    /// A line, by its number from 0.
    pub fn get(&self, index: usize) -> Option<&'a str> {
        self.all.get(index).copied()
    }

    /// How many characters of a line may be shown; all of them when none.
    pub fn visible(&self, index: usize) -> Option<usize> {
        let known = self.found.borrow().get(&index).copied();
        known.unwrap_or_else(|| {
            let visible = self.look(index);
            self.found.borrow_mut().insert(index, visible);
            visible
        })
    }

    fn look(&self, index: usize) -> Option<usize> {
        let line = self.get(index)?;
        let bodies = self.bodies.get_or_init(|| armour::bodies(&self.all));
        if bodies.get(index) == Some(&true) {
            return Some(indentation(line));
        }
        let outline = self.outline.get_or_init(|| Outline::of(&self.all));
        let flags = self.flags.get_or_init(|| flag::visible(&self.all));
        let by_flag = flags.get(index).copied().flatten().map(|count| flag::before_text(line, count));
        of_key(&self.all, index, outline).into_iter().chain(of_address(line)).chain(by_flag).min()
    }
}
