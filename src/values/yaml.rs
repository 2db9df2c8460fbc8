//! Reads a file of values: every document, every node with its place.

use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span, Tag, options};

use super::error::{ValuesError, ValuesProblem, ValuesWarning};
use super::{Entry, Kind, Map, Node, Origin, binary, merge};
use crate::scalar::plain;

/// The deepest nesting: that of JSON readers, which Helm's records are read with.
pub(super) const MAX_DEPTH: usize = 128;
/// The most nodes, keys among them, of all texts of one run, counted after aliases are followed.
const MAX_NODES: usize = 300_000;
/// The most nodes that aliases may bring in: a short text can ask for many.
const MAX_ALIASED_NODES: usize = 100_000;
/// The most bytes of keys and texts that aliases may bring in.
const MAX_ALIASED: usize = 32 * 1024 * 1024;
/// The most bytes of the texts of values of one run, together.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The most lines of one text.
pub const MAX_LINES: usize = 1_000_000;

/// What the texts of one run have brought in so far.
#[derive(Default)]
pub(super) struct Spent {
    nodes: usize,
    aliased_nodes: usize,
    /// Bytes that are kept for aliases, and that these have brought in.
    aliased: usize,
}

impl Spent {
    /// Counts nodes.
    pub fn nodes(&mut self, more: usize) -> Result<(), ValuesProblem> {
        self.nodes += more;
        if self.nodes > MAX_NODES { Err(ValuesProblem::Nodes(MAX_NODES)) } else { Ok(()) }
    }

    /// Counts what an alias brings in, beside the nodes as such.
    fn alias(&mut self, nodes: usize, bytes: usize) -> Result<(), ValuesProblem> {
        self.aliased_nodes += nodes;
        if self.aliased_nodes > MAX_ALIASED_NODES {
            return Err(ValuesProblem::AliasedNodes(MAX_ALIASED_NODES));
        }
        self.bytes(bytes)
    }

    fn bytes(&mut self, more: usize) -> Result<(), ValuesProblem> {
        self.aliased += more;
        if self.aliased > MAX_ALIASED { Err(ValuesProblem::Aliased(MAX_ALIASED)) } else { Ok(()) }
    }
}

/// What a reader finds without stopping.
pub(super) struct Found<'a> {
    /// Keys that stand twice.
    pub errors: &'a mut Vec<ValuesError>,
    /// What is probably not meant.
    pub warnings: &'a mut Vec<ValuesWarning>,
}

/// Reads all documents of a text and merges them, later ones over earlier ones; nothing gives an empty map.
pub(super) fn read(text: &str, source: u32, spent: &mut Spent, found: &mut Found<'_>) -> Result<Node, ValuesError> {
    let start = Origin { source, line: 1, column: 1, length: 1, used: None };
    if text.len() > MAX_BYTES {
        let problem = ValuesProblem::Size { found: text.len(), most: MAX_BYTES };
        return Err(ValuesError { problem, origin: start });
    }
    lines(text, source)?;
    let options: Options = options! { emit_comments: false, disallow_directives: true };
    let mut reader = Reader { stack: Vec::new(), root: None, anchors: HashMap::new(), spent, found };
    let mut root = Node { kind: Kind::Map(Map::new()), origin: start };
    for item in Parser::new_from_str_with_options(text, options) {
        let (event, span) = item.map_err(|error| {
            let (mark, message) = (error.marker(), error.info());
            let mut place = (mark.line().max(1), mark.col() + 1);
            if message.split(' ').any(|word| matches!(word, "tab" | "tabs")) {
                place = tab(text, place.0).unwrap_or(place);
            }
            let origin = Origin { source, line: place.0 as u32, column: place.1 as u32, length: 1, used: None };
            // The reader's own limit, met while it looks ahead of what it gives out.
            let too_deep = message.contains("recursion limit");
            let problem = if too_deep { ValuesProblem::Depth(MAX_DEPTH) } else { ValuesProblem::Yaml(message) };
            ValuesError { problem, origin }
        })?;
        let end = matches!(event, Event::DocumentEnd);
        let origin = origin(source, &span);
        reader.event(event, origin).map_err(|problem| ValuesError { problem, origin })?;
        if end {
            let Some(document) = reader.take() else { continue };
            match document.kind {
                Kind::Null => {}
                Kind::Map(_) => {
                    if root.origin == start {
                        root.origin = document.origin;
                    }
                    merge::merge(&mut root, document);
                }
                _ => {
                    let problem = ValuesProblem::Root(kind_name(&document));
                    return Err(ValuesError { problem, origin: document.origin });
                }
            }
        }
    }
    Ok(root)
}

/// Line and column of the first tab that indents, from a line on: the reader names the place where it began to read what
/// the tab ends.
fn tab(text: &str, line: usize) -> Option<(usize, usize)> {
    (1..).zip(text.lines()).skip(line - 1).find_map(|(number, line)| {
        let before = line.chars().take_while(|c| *c == ' ').count();
        line.chars().nth(before).filter(|c| *c == '\t').map(|_| (number, before + 1))
    })
}

/// Refuses what Helm's own splitting of documents would misread or drop without a word.
fn lines(text: &str, source: u32) -> Result<(), ValuesError> {
    let mut ended = false;
    for (index, line) in text.lines().enumerate() {
        let origin = Origin {
            source,
            line: index as u32 + 1,
            column: 1,
            length: line.chars().count().max(1) as u32,
            used: None,
        };
        if index >= MAX_LINES {
            return Err(ValuesError { problem: ValuesProblem::Lines(MAX_LINES), origin });
        }
        if let Some(rest) = line.strip_prefix("---") {
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                return Err(ValuesError { problem: ValuesProblem::Separator(line.chars().take(60).collect()), origin });
            }
            ended = false;
        } else if ended && !line.trim().is_empty() && !line.trim_start().starts_with('#') {
            return Err(ValuesError { problem: ValuesProblem::BehindEnd, origin });
        } else if line.trim_end() == "..." {
            ended = true;
        }
    }
    Ok(())
}

fn origin(source: u32, span: &Span) -> Origin {
    let length = if span.start.line() == span.end.line() { span.end.col().saturating_sub(span.start.col()) } else { 1 };
    Origin {
        source,
        line: span.start.line().max(1) as u32,
        column: span.start.col() as u32 + 1,
        length: length.max(1) as u32,
        used: None,
    }
}

/// A collection whose end has not come yet; the number is its anchor, or 0.
enum Open {
    List(Vec<Node>, usize, Origin),
    Map { map: Map, key: Option<(Key, Origin)>, merged: Vec<Node>, anchor: usize, origin: Origin },
}

enum Key {
    Text(String),
    /// `<<` without quotes.
    Merge,
}

/// A tree that aliases may copy.
struct Anchor {
    node: Node,
    size: usize,
    depth: usize,
    bytes: usize,
}

struct Reader<'a, 'f> {
    stack: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Anchor>,
    spent: &'a mut Spent,
    found: &'a mut Found<'f>,
}

impl Reader<'_, '_> {
    fn event(&mut self, event: Event<'_>, origin: Origin) -> Result<(), ValuesProblem> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let kind = kind(&text, style, tag.as_deref())?;
                if self.awaits_key() && style == ScalarStyle::Plain && matches!(kind, Kind::Bool(_)) {
                    let Kind::Bool(read) = kind else { return Ok(()) };
                    if text != read.to_string() {
                        let (written, read) = (text.to_string(), read.to_string());
                        self.found.warnings.push(ValuesWarning::BooleanKey { written, read, origin });
                    }
                }
                let plain = style == ScalarStyle::Plain;
                self.node(Node { kind, origin }, anchor, 1, plain)
            }
            Event::SequenceStart(_, anchor, _) => self.open(Open::List(Vec::new(), anchor, origin)),
            Event::MappingStart(_, anchor, _) => {
                self.open(Open::Map { map: Map::new(), key: None, merged: Vec::new(), anchor, origin })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => {
                let Anchor { node: kept, size, depth, bytes } =
                    self.anchors.get(&anchor).ok_or(ValuesProblem::Recursive)?;
                let (size, depth) = (*size, *depth);
                if self.stack.len() + depth > MAX_DEPTH {
                    return Err(ValuesProblem::Depth(MAX_DEPTH));
                }
                self.spent.alias(size, *bytes)?;
                let mut node = kept.clone();
                used(&mut node, (origin.line, origin.column));
                self.node(node, 0, size, false)
            }
            _ => Ok(()),
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(self.stack.last(), Some(Open::Map { key: None, .. }))
    }

    fn open(&mut self, open: Open) -> Result<(), ValuesProblem> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(ValuesProblem::Depth(MAX_DEPTH));
        }
        if self.awaits_key() {
            return Err(ValuesProblem::Key(if matches!(open, Open::List(..)) { "a list" } else { "a map" }));
        }
        self.stack.push(open);
        Ok(())
    }

    fn close(&mut self) -> Result<(), ValuesProblem> {
        let (node, anchor) = match self.stack.pop() {
            None => return Ok(()),
            Some(Open::List(mut list, anchor, origin)) => {
                list.shrink_to_fit();
                (Node { kind: Kind::List(list), origin }, anchor)
            }
            Some(Open::Map { mut map, merged, anchor, origin, .. }) => {
                for node in merged {
                    let Kind::Map(lower) = node.kind else { continue };
                    self.spent.nodes(lower.len())?;
                    for (key, entry) in lower {
                        map.entry(key).or_insert(entry);
                    }
                }
                // A map with room for more takes up to four times as much.
                map.shrink_to_fit();
                (Node { kind: Kind::Map(map), origin }, anchor)
            }
        };
        self.node(node, anchor, 1, false)
    }

    fn node(&mut self, node: Node, anchor: usize, nodes: usize, plain: bool) -> Result<(), ValuesProblem> {
        self.spent.nodes(nodes)?;
        if anchor > 0 {
            // What is kept for aliases counts too: anchors inside each other are kept once for each.
            let (size, depth) = measure(&node);
            self.spent.nodes(size)?;
            let bytes = bytes(&node);
            self.spent.bytes(bytes)?;
            self.anchors.insert(anchor, Anchor { node: node.clone(), size, depth, bytes });
        }
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(list, ..)) => list.push(node),
            Some(Open::Map { key: key @ None, .. }) if plain && node.as_str() == Some("<<") => {
                *key = Some((Key::Merge, node.origin));
            }
            Some(Open::Map { map, key: key @ None, .. }) => {
                let name = key_text(&node)?;
                if let Some(entry) = map.get(&name) {
                    let problem = ValuesProblem::Twice { key: name.clone(), first: entry.key };
                    self.found.errors.push(ValuesError { problem, origin: node.origin });
                }
                *key = Some((Key::Text(name), node.origin));
            }
            Some(Open::Map { map, key, merged, .. }) => match key.take() {
                None => {}
                Some((Key::Merge, _)) => merge_key(node, merged)?,
                Some((Key::Text(name), origin)) => {
                    map.insert(name, Entry { key: origin, value: node });
                }
            },
        }
        Ok(())
    }
}

impl Reader<'_, '_> {
    /// The document that has just ended.
    fn take(&mut self) -> Option<Node> {
        self.anchors.clear();
        self.root.take()
    }
}

fn merge_key(node: Node, merged: &mut Vec<Node>) -> Result<(), ValuesProblem> {
    match node.kind {
        Kind::Map(_) => merged.push(node),
        Kind::List(list) => {
            for item in list {
                if item.as_map().is_none() {
                    return Err(ValuesProblem::Merge(kind_name(&item)));
                }
                merged.push(item);
            }
        }
        _ => return Err(ValuesProblem::Merge(kind_name(&node))),
    }
    Ok(())
}

/// Bytes of all keys and texts of a tree.
fn bytes(node: &Node) -> usize {
    match &node.kind {
        Kind::String(text) => text.len(),
        Kind::List(list) => list.iter().map(bytes).sum(),
        Kind::Map(map) => map.iter().map(|(key, entry)| key.len() + bytes(&entry.value)).sum(),
        _ => 0,
    }
}

/// Nodes, keys among them, and depth of a tree.
pub(super) fn measure(node: &Node) -> (usize, usize) {
    let add = |(nodes, depth): (usize, usize), (more, deep): (usize, usize)| (nodes + more, depth.max(deep + 1));
    match &node.kind {
        Kind::List(list) => list.iter().map(measure).fold((1, 1), add),
        Kind::Map(map) => map.values().map(|entry| measure(&entry.value)).fold((1 + map.len(), 1), add),
        _ => (1, 1),
    }
}

/// Marks a copied tree with the place of the alias that brought it in.
fn used(node: &mut Node, place: (u32, u32)) {
    node.origin.used = Some(place);
    match &mut node.kind {
        Kind::List(list) => list.iter_mut().for_each(|item| used(item, place)),
        Kind::Map(map) => map.values_mut().for_each(|entry| used(&mut entry.value, place)),
        _ => {}
    }
}

fn kind(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Kind, ValuesProblem> {
    let is = |suffix: &str| tag.is_some_and(|tag| tag.is_yaml_core_schema_tag(suffix));
    // No part of the core schema of YAML 1.2, but of the dialect.
    if tag.is_some_and(|tag| tag.parts() == ("tag:yaml.org,2002:", "binary")) {
        return binary::read(text).map(Kind::String).ok_or(ValuesProblem::Binary);
    }
    if is("str") || style != ScalarStyle::Plain && tag.is_none() {
        return Ok(Kind::String(text.to_owned()));
    }
    if style == ScalarStyle::Plain || is("int") || is("float") || is("bool") || is("null") {
        return Kind::of_plain(plain(text), text).ok_or_else(|| ValuesProblem::NotFinite(text.to_owned()));
    }
    Ok(Kind::String(text.to_owned()))
}

/// The text of a key: booleans and numbers become text, as in Helm.
fn key_text(node: &Node) -> Result<String, ValuesProblem> {
    match &node.kind {
        Kind::String(text) => Ok(text.clone()),
        Kind::Bool(_) | Kind::Int(_) | Kind::UInt(_) | Kind::Float(_) => Ok(node.to_json().to_string()),
        Kind::Null | Kind::List(_) | Kind::Map(_) => Err(ValuesProblem::Key(kind_name(node))),
    }
}

/// The kind of a node in words.
pub(super) fn kind_name(node: &Node) -> &'static str {
    match node.kind {
        Kind::Null => "nothing",
        Kind::Bool(_) => "a boolean",
        Kind::Int(_) | Kind::UInt(_) | Kind::Float(_) => "a number",
        Kind::String(_) => "a string",
        Kind::List(_) => "a list",
        Kind::Map(_) => "a map",
    }
}
