//! Reads paths and values out of one argument, character by character.

use super::Typing;
use crate::values::error::{SetProblem, ValuesError, ValuesProblem};
use crate::values::{Kind, Node, Origin};

/// The largest list index (`MaxIndex`).
const MAX_INDEX: usize = 65536;
/// The most dots in one path (`MaxNestedNameLevel`).
const MAX_LEVEL: usize = 30;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// An argument, and how far it has been read.
pub(super) struct Scanner {
    pub characters: Vec<char>,
    pub at: usize,
    source: u32,
    /// Whether `\` is a character like any other.
    pub literal: bool,
}

impl Scanner {
    pub fn new(text: &str, source: u32) -> Scanner {
        Scanner { characters: text.chars().collect(), at: 0, source, literal: false }
    }

    pub fn origin(&self, at: usize, length: usize) -> Origin {
        Origin { source: self.source, line: 1, column: at as u32 + 1, length: length.max(1) as u32, used: None }
    }

    pub fn error(&self, at: usize, problem: SetProblem) -> ValuesError {
        ValuesError { problem: ValuesProblem::Set(problem), origin: self.origin(at, 1) }
    }

    pub fn at_end(&self) -> bool {
        self.at >= self.characters.len()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.characters.get(self.at).copied();
        self.at += 1;
        character
    }

    /// Reads until one of `stops`, following escapes; gives the text and the stop.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut text = String::new();
        loop {
            match self.next() {
                None => return (text, None),
                Some('\\') if !self.literal => text.extend(self.next()),
                Some(character) if stops.contains(&character) => return (text, Some(character)),
                Some(character) => text.push(character),
            }
        }
    }

    /// Reads `a.b[0].c=`; gives the steps and where they begin.
    pub fn path(&mut self) -> Result<(Vec<Step>, usize), ValuesError> {
        let start = self.at;
        let mut steps = Vec::new();
        let mut level = 0;
        let stops: &[char] = if self.literal { &['=', '[', '.'] } else { &['=', '[', '.', ','] };
        loop {
            let at = self.at;
            let (key, stop) = self.until(stops);
            let last = if key.is_empty() { steps.last().map_or(String::new(), name) } else { key.clone() };
            match stop {
                None => return Err(self.error(at, SetProblem::NoValue(last))),
                Some(',') => return Err(self.error(at, SetProblem::Comma(key))),
                Some(character) if key.is_empty() && (character != '[' || steps.is_empty()) => {
                    let problem = if steps.is_empty() { SetProblem::NoFirstKey } else { SetProblem::EmptyKey };
                    return Err(self.error(at, problem));
                }
                _ => {}
            }
            steps.push(Step::Key(key));
            let mut stop = stop;
            while stop == Some('[') {
                stop = self.index(&mut steps)?;
            }
            match stop {
                Some('=') => return Ok((steps, start)),
                Some(_) => {
                    level += 1;
                    if level > MAX_LEVEL {
                        return Err(self.error(at, SetProblem::Depth(MAX_LEVEL)));
                    }
                }
                None => return Err(self.error(at, SetProblem::NoValue(last))),
            }
        }
    }

    /// Reads the rest of `[0]` and what follows it: `=`, `.` or another `[`.
    fn index(&mut self, steps: &mut Vec<Step>) -> Result<Option<char>, ValuesError> {
        let at = self.at;
        let (text, stop) = self.until(&[']']);
        if stop.is_none() {
            return Err(self.error(at, SetProblem::OpenIndex));
        }
        let index: i64 = text.parse().map_err(|_| self.error(at, SetProblem::Index(text)))?;
        if index < 0 {
            return Err(self.error(at, SetProblem::NegativeIndex(index)));
        }
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        if index > MAX_INDEX {
            return Err(self.error(at, SetProblem::LargeIndex { found: index, most: MAX_INDEX }));
        }
        steps.push(Step::Index(index));
        match self.next() {
            stop @ Some('=' | '.' | '[') => Ok(stop),
            None => Err(self.error(at, SetProblem::IndexWithoutValue(index))),
            Some(other) => Err(self.error(self.at - 1, SetProblem::BehindIndex(other))),
        }
    }

    pub fn value(&mut self, typing: Typing<'_>) -> Result<Node, ValuesError> {
        let start = self.at;
        if self.characters.get(self.at) == Some(&'{') {
            self.at += 1;
            let mut items = Vec::new();
            loop {
                let at = self.at;
                let (text, stop) = self.until(&[',', '}']);
                items.push(self.typed(text, at, typing));
                match stop {
                    Some('}') => break,
                    Some(_) => {}
                    None => return Err(self.error(start, SetProblem::OpenList)),
                }
            }
            if self.characters.get(self.at) == Some(&',') {
                self.at += 1;
            }
            let length = self.at - start;
            return Ok(Node { kind: Kind::List(items), origin: self.origin(start, length) });
        }
        let (text, _) = self.until(&[',']);
        Ok(self.typed(text, start, typing))
    }

    fn typed(&self, text: String, at: usize, typing: Typing<'_>) -> Node {
        let origin = self.origin(at, text.chars().count());
        let kind = match typing {
            Typing::Text => Kind::String(text),
            Typing::Files(files) => {
                let content = files.iter().find(|(path, _)| *path == text).map(|(_, content)| content.clone());
                Kind::String(content.unwrap_or_default())
            }
            Typing::Typed => typed(text),
        };
        Node { kind, origin }
    }
}

fn name(step: &Step) -> String {
    match step {
        Step::Key(key) => key.clone(),
        Step::Index(index) => format!("[{index}]"),
    }
}

/// The typing of `--set`: no floats, no octals, no `yes`.
fn typed(text: String) -> Kind {
    if text.eq_ignore_ascii_case("true") {
        return Kind::Bool(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Kind::Bool(false);
    }
    if text.eq_ignore_ascii_case("null") {
        return Kind::Null;
    }
    if text == "0" {
        return Kind::Int(0);
    }
    if !text.starts_with('0')
        && let Ok(number) = text.parse()
    {
        return Kind::Int(number);
    }
    Kind::String(text)
}
