//! Where the nodes of documents stand. A text is read anew for that, and only when there is something to say about one.

use granit_parser::{Event, Options, Parser, Span, options};
use serde_json::Value;

use super::read::scalar;

/// Where something stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// How many characters are meant, on that line.
    pub length: u32,
}

/// A node with its place, and what is below it. What an alias or a merge key brings in is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Where it begins: a map at its first key.
    pub spot: Spot,
    below: Below,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Below {
    Nothing,
    List(Vec<Located>),
    Map(Vec<Entry>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    key: String,
    spot: Spot,
    value: Located,
}

impl Located {
    /// An entry of a map: where its key stands, and its value.
    pub fn entry(&self, key: &str) -> Option<(Spot, &Located)> {
        let Below::Map(entries) = &self.below else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| (entry.spot, &entry.value))
    }

    /// An item of a list.
    pub fn item(&self, index: usize) -> Option<&Located> {
        match &self.below {
            Below::List(items) => items.get(index),
            _ => None,
        }
    }
}

/// The documents of a text that [`read_documents`](super::read_documents) gives, in its order, with their places.
pub fn locate(text: &str) -> Vec<Located> {
    let options: Options = options! { emit_comments: false };
    let mut documents = Vec::new();
    let mut reader = Reader::default();
    // What cannot be read has been refused before.
    for (event, span) in Parser::new_from_str_with_options(text, options).map_while(Result::ok) {
        let spot = spot(&span);
        match event {
            Event::Scalar(text, style, _, tag) => {
                let is_null = reader.stack.is_empty() && scalar(&text, style, tag.as_deref()) == Ok(Value::Null);
                reader.node(Located { spot, below: Below::Nothing }, Some(text.into_owned()));
                reader.root = reader.root.take().filter(|_| !is_null);
            }
            Event::Alias(_) => reader.node(Located { spot, below: Below::Nothing }, None),
            Event::SequenceStart(..) => reader.open(spot, Below::List(Vec::new())),
            Event::MappingStart(..) => reader.open(spot, Below::Map(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((node, _)) = reader.stack.pop() {
                    reader.node(node, None);
                }
            }
            Event::DocumentEnd => documents.extend(reader.root.take()),
            _ => {}
        }
    }
    documents
}

/// The collections whose ends have not come yet, each with the key that waits for its value.
#[derive(Default)]
struct Reader {
    stack: Vec<(Located, Option<(String, Spot)>)>,
    root: Option<Located>,
}

impl Reader {
    fn open(&mut self, spot: Spot, below: Below) {
        self.stack.push((Located { spot, below }, None));
    }

    /// Puts a node in its place; `text` is that of a scalar, which may be a key.
    fn node(&mut self, node: Located, text: Option<String>) {
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some((Located { below: Below::List(items), .. }, _)) => items.push(node),
            Some((Located { below: Below::Map(entries), .. }, key)) => match key.take() {
                None => *key = Some((text.unwrap_or_default(), node.spot)),
                Some((key, spot)) => entries.push(Entry { key, spot, value: node }),
            },
            Some((Located { below: Below::Nothing, .. }, _)) => {}
        }
    }
}

fn spot(span: &Span) -> Spot {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    let length = if span.start.line() == span.end.line() { span.end.col().saturating_sub(span.start.col()) } else { 1 };
    Spot { line: number(span.start.line()), column: number(span.start.col() + 1), length: number(length.max(1)) }
}

#[cfg(test)]
mod tests {
    use super::super::read_documents;
    use super::*;
    use proptest::prelude::*;

    fn at(line: u32, column: u32, length: u32) -> Spot {
        Spot { line, column, length }
    }

    #[test]
    fn keys_and_values_have_their_places() {
        let text = "# a\n---\n~\n---\nkind: List\nitems:\n- metadata:\n    name: \"a b\"\n- {kind: A}\n- &x b\n- *x\n";
        let documents = locate(text);
        let [list] = documents.as_slice() else { panic!("{documents:?}") };
        assert_eq!(list.spot, at(5, 1, 1));
        let (items, list) = list.entry("items").unwrap();
        assert_eq!(items, at(6, 1, 5));
        let (key, metadata) = list.item(0).unwrap().entry("metadata").unwrap();
        let (name, value) = metadata.entry("name").unwrap();
        assert_eq!((key, name, value.spot), (at(7, 3, 8), at(8, 5, 4), at(8, 11, 5)));
        assert_eq!(list.item(1).unwrap().entry("kind").unwrap().1.spot, at(9, 10, 1));
        assert_eq!(list.item(3).unwrap().spot, at(11, 3, 2));
        assert_eq!((list.item(4), list.entry("a"), metadata.item(0)), (None, None, None));
    }

    #[test]
    fn json_has_places_too() {
        let documents = locate("{\"kind\": \"List\", \"items\": [{\"kind\": 5}]}\n");
        let (_, items) = documents[0].entry("items").unwrap();
        assert_eq!(items.item(0).unwrap().entry("kind").unwrap().1.spot, at(1, 37, 1));
    }

    proptest! {
        #[test]
        fn there_are_as_many_documents_as_are_read(text in "([ab]|~|-|- |: |\n|\n  |'|\"|\\{|\\}|\\[|\\]|,|#|---\n|\\.\\.\\.\n|null|!!str |&a |\\*a )*") {
            if let Ok(documents) = read_documents(&text) {
                prop_assert_eq!(locate(&text).len(), documents.len());
            }
        }
    }
}
