//! Where values come from.

/// One text that values are read from, already read.
///
/// The order of a slice of sources is the order of merging: later ones win.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What kind of text it is, and what a person calls it.
    pub name: SourceName,
    /// The text: a file's content, or a flag's argument.
    pub text: String,
}

/// Kind and name of a [`Source`]; flags are numbered from 1 in the order they were typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceName {
    /// A file given with `--values`, by the path as it was typed.
    File(String),
    /// Standard input, given as `--values -`.
    Stdin,
    /// The n-th `--set`.
    Set(usize),
    /// The n-th `--set-string`.
    SetString(usize),
    /// The n-th `--set-json`.
    SetJson(usize),
    /// The n-th `--set-file`, with the files it names, already read: path as written, content.
    SetFile(usize, Vec<(String, String)>),
    /// The n-th `--set-literal`.
    SetLiteral(usize),
}

/// Position of a value, or of a key, in one of the sources.
///
/// Copied freely: every [`Node`](super::Node) owns its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Index into the slice of sources given to [`load`](super::load).
    pub source: u32,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Characters that the value takes on its first line, at least 1: the length of a caret line.
    pub length: u32,
    /// Line and column of the alias or merge key that brought the value in, when one did.
    pub used: Option<(u32, u32)>,
}
