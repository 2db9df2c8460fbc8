//! What a command tells while it talks to a cluster: one line per event; on a terminal also a live line per version that is
//! waited for.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use super::columns::{Cut, shortened};
use super::report::Report;
use crate::cluster::News;
use crate::findings::in_line;
use crate::readiness::{Health, Settled};
use crate::route::shares;

/// Tells news on stderr.
pub(super) struct Progress<'r, 'w> {
    report: RefCell<&'r mut Report<'w>>,
    /// Whether lines can be taken back.
    live: bool,
    /// How many characters a live line may have.
    columns: usize,
    state: RefCell<State>,
}

/// How many characters a line of a terminal has, where nothing tells.
const COLUMNS: usize = 80;

#[derive(Default)]
struct State {
    /// Versions that are waited for: name, what for, since when.
    waiting: Vec<(String, String, Option<Instant>)>,
    /// How many live lines stand below.
    drawn: usize,
}

impl<'r, 'w> Progress<'r, 'w> {
    /// Tells news through a report; `live` on a terminal.
    pub fn new(report: &'r mut Report<'w>, live: bool) -> Progress<'r, 'w> {
        Progress { report: RefCell::new(report), live, columns: COLUMNS, state: RefCell::default() }
    }

    /// The same, on a terminal whose lines have so many characters.
    pub fn on_lines_of(self, columns: Option<usize>) -> Progress<'r, 'w> {
        Progress { columns: columns.unwrap_or(COLUMNS), ..self }
    }

    /// How often it wants to hear that somebody waits.
    pub fn beat(&self) -> Duration {
        Duration::from_secs(if self.live { 1 } else { 30 })
    }

    /// Tells one thing.
    pub fn tell(&self, news: &News<'_>) {
        match news {
            News::Again { doing, why, wait } => {
                let seconds = wait.as_secs_f64();
                self.line(&format!("cannot {doing} now: {why}; trying again in {seconds:.1} s"));
            }
            News::Written { key, created } => {
                self.line(&format!("{} {key}", if *created { "created" } else { "updated" }));
            }
            News::Lost(key) => self.line(&format!("{key} was deleted by somebody else: it is written again")),
            News::Deleted(key) => self.line(&format!("deleted {key}")),
            News::Standing(key) => self.line(&format!("{key} is still being deleted")),
            News::Routed(route) => {
                let parts: Vec<String> = shares(route).iter().map(|(name, share)| format!("{name} {share}")).collect();
                self.line(&format!("route: {}", parts.join(", ")));
            }
            News::Version { name, health, unproven } => self.version(name, health, *unproven),
            News::Waiting => self.waiting(),
            News::LeftToController(key) => {
                self.line(&format!("{key} is the Iter8 controller's: it is left to it"));
            }
            News::Locked { number, holder } => {
                self.line(&format!(
                    "revision {number} is held by {holder}: watching for a sign of life; after 60 s without one its lock is taken"
                ));
            }
            News::Unwatched { kind, why } => {
                self.line(&format!("cannot watch {kind} now: {why}; trying again"));
            }
            News::Polling(kind) => {
                self.line(&format!("{kind} may not be watched: it is read every 2 s"));
            }
        }
    }

    /// Lends the report, with the live lines out of the way.
    pub fn with_report<T>(&self, write: impl FnOnce(&mut Report<'w>) -> T) -> T {
        self.erase();
        let done = write(*self.report.borrow_mut());
        self.draw();
        done
    }

    /// Takes the live lines away.
    pub fn end(&self) {
        self.erase();
        self.state.borrow_mut().waiting.clear();
    }

    fn version(&self, name: &str, health: &Health, unproven: bool) {
        let settled = health.settled == Settled::Yes || unproven;
        let text = match (&health.failed, settled) {
            (Some(why), _) => format!("failed: {why}"),
            (None, true) if unproven => "settled, as far as its status tells".to_owned(),
            (None, true) => "settled".to_owned(),
            (None, false) => {
                let serving = if health.serving { "serving, " } else { "" };
                format!("{serving}waiting: {}", health.why)
            }
        };
        {
            let mut state = self.state.borrow_mut();
            state.waiting.retain(|(other, ..)| other != name);
            if !settled && health.failed.is_none() {
                state.waiting.push((name.to_owned(), health.why.clone(), Some(Instant::now())));
            }
        }
        if self.live && !settled && health.failed.is_none() {
            // The live lines say it.
            self.erase();
            self.draw();
            return;
        }
        self.line(&format!("{name}: {text}"));
    }

    fn waiting(&self) {
        if self.live {
            self.erase();
            self.draw();
            return;
        }
        let lines: Vec<String> = self.state.borrow().waiting.iter().map(waits).collect();
        lines.iter().for_each(|line| self.line(line));
    }

    fn line(&self, text: &str) {
        self.erase();
        self.report.borrow_mut().event(text);
        self.draw();
    }

    fn erase(&self) {
        let drawn = std::mem::take(&mut self.state.borrow_mut().drawn);
        if drawn > 0 {
            // Up, to the first of them; away with everything below.
            let _ = write!(self.report.borrow_mut().out, "\u{1b}[{drawn}A\u{1b}[J");
        }
    }

    fn draw(&self) {
        if !self.live {
            return;
        }
        let mut state = self.state.borrow_mut();
        for waiting in &state.waiting {
            // One line each, whatever the message: a line that wraps could not be taken back.
            let line = shortened(&in_line(&waits(waiting)), self.columns.saturating_sub(1), Cut::End);
            self.report.borrow_mut().event(&line);
        }
        state.drawn = state.waiting.len();
    }
}

fn waits((name, why, since): &(String, String, Option<Instant>)) -> String {
    let seconds = since.map_or(0, |since| since.elapsed().as_secs());
    format!("{name}: waiting for {seconds} s: {why}")
}
