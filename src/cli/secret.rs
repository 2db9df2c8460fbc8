//! What must not be shown: the values of keys that sound like secrets, addresses with a name and password, and what is known
//! for a secret by its form.
//!
//! Better too much than too little: from the first of these to the end of its line, and every line below a key.

mod address;
mod armour;
mod flag;
mod form;
mod key;
mod lines;
mod login;
mod object;
mod outline;
mod value;
mod words;

pub(super) use address::{is_parameter, without_passwords};
pub(super) use key::sounds_secret;
pub(super) use lines::Lines;
pub(super) use object::{hidden, hidden_values};
pub(super) use value::without_secrets;

use outline::{Outline, Place, place};
use serde_json::Value;

use crate::values::{Kind, Node, Origin};

/// Stands for what is not shown; its length says nothing about the value's.
pub(super) const HIDDEN: &str = "•••••";

/// As [`Lines::visible`], by the keys alone; the outline is that of the lines up to this one, or of more.
fn of_key(lines: &[&str], index: usize, outline: &Outline<'_>) -> Option<usize> {
    let line = lines.get(index).filter(|line| !line.trim().is_empty())?;
    if let Some(start) = explicit_value(line)
        && has_explicit_secret(lines, index)
    {
        return Some(start);
    }
    if outline.is_below_secret(index) || outline.is_behind_secret(index) || beside_secret(lines, index) {
        return Some(value_start(line));
    }
    before_secret(line)
}

/// An argument or a message that repeats one, without what stands behind a key that sounds like a secret.
pub(super) fn shown(text: &str) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let (bodies, flags) = (armour::bodies(&lines), flag::visible(&lines));
    let count = |line: &str, is_body| if is_body { Some(indentation(line)) } else { visible_alone(line) };
    let line = |((line, is_body), by_flag): ((&str, bool), Option<usize>)| match count(line, is_body)
        .into_iter()
        .chain(by_flag)
        .min()
    {
        Some(count) => line.chars().take(count).chain(HIDDEN.chars()).collect(),
        None => line.to_owned(),
    };
    lines.into_iter().zip(bodies).zip(flags).map(line).collect::<Vec<String>>().join("\n")
}

/// A document for programs, its texts without what [`without_passwords`] hides.
pub(super) fn masked(document: Value) -> Value {
    match document {
        Value::String(text) => Value::String(without_passwords(&text).into_owned()),
        Value::Array(items) => Value::Array(items.into_iter().map(masked).collect()),
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(key, value)| (key, masked(value))).collect()),
        other => other,
    }
}

/// A message without the value at `origin`, in every form in which a message quotes one.
pub(super) fn without_value(message: &str, root: &Node, origin: Origin) -> String {
    let mut texts = Vec::new();
    collect(root, origin, &mut texts);
    let quoted = texts.iter().map(|text| format!("{text:?}").trim_matches('"').to_owned()).collect::<Vec<_>>();
    texts.extend(quoted);
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    texts.iter().filter(|text| !text.is_empty()).fold(message.to_owned(), |message, text| message.replace(text, HIDDEN))
}

/// A message without the words that it quotes; signs of a grammar stay.
pub(super) fn without_quotes(message: &str) -> String {
    let is_sign = |part: &str| part.len() == 1 && part.chars().all(|sign| sign.is_ascii_punctuation());
    let part = |(index, part): (usize, &str)| {
        if index % 2 == 0 || is_sign(part) { part.to_owned() } else { HIDDEN.to_owned() }
    };
    message.split('`').enumerate().map(part).collect::<Vec<String>>().join("`")
}

fn collect(node: &Node, origin: Origin, texts: &mut Vec<String>) {
    match &node.kind {
        Kind::Map(map) => map.values().for_each(|entry| collect(&entry.value, origin, texts)),
        Kind::List(items) => items.iter().for_each(|item| collect(item, origin, texts)),
        _ if node.origin != origin => {}
        Kind::Null => {}
        Kind::String(text) => texts.push(text.clone()),
        _ => texts.push(node.to_json().to_string()),
    }
}

/// How much of a line may be shown, judged by the line alone.
fn visible_alone(line: &str) -> Option<usize> {
    before_secret(line).into_iter().chain(of_address(line)).min()
}

/// How much of a line stands before an address with a secret, or before what is one by its form: from where its word begins,
/// its quote included.
fn of_address(line: &str) -> Option<usize> {
    let (start, _) = address::secret(line)?;
    let before = line.get(..start).unwrap_or_default();
    let word = before.trim_end_matches(|c: char| !c.is_whitespace() && !matches!(c, '=' | ',' | '[' | '{' | '('));
    Some(word.chars().count())
}

/// How much of a line stands before the value of a key that sounds like a secret.
fn before_secret(line: &str) -> Option<usize> {
    of_pairs(line).or_else(|| without_colon(line))
}

/// As [`before_secret`], where a `:` or `=` ends the key.
fn of_pairs(line: &str) -> Option<usize> {
    let names_secret = pairs(line).any(|pair| plain(pair.key) == "name" && sounds_secret(pair.value));
    let secret = |pair: &Pair| {
        sounds_secret(pair.key)
            || pair.sign == "=" && key::sounds_like_session(pair.key)
            || names_secret && plain(pair.key) == "value"
    };
    let pair = pairs(line).find(secret)?;
    let hidden = line.get(pair.start..)?;
    let blanks = hidden.len() - hidden.trim_start().len();
    (!hidden.trim().is_empty()).then(|| line.get(..pair.start + blanks).unwrap_or_default().chars().count())
}

/// How much of a line may be shown whose first word sounds like the key of a secret, with its `:` forgotten.
fn without_colon(line: &str) -> Option<usize> {
    let start = line.len() - line.trim_start_matches([' ', '\t', '-']).len();
    let word = line.get(start..)?.split_whitespace().next()?;
    let behind = line.get(start + word.len()..)?.trim_start();
    let forgotten = !word.contains([':', '=']) && sounds_secret(word) && !behind.is_empty();
    forgotten.then(|| line.get(..line.len() - behind.len()).unwrap_or_default().chars().count())
}

/// A key of a line with what stands behind its `:` or `=`, up to the next key.
struct Pair<'a> {
    key: &'a str,
    /// What ends it.
    sign: &'a str,
    value: &'a str,
    /// Byte at which the value starts.
    start: usize,
}

fn pairs(line: &str) -> impl Iterator<Item = Pair<'_>> {
    let mut next = 0;
    let mut keys = line.match_indices([':', '=']).filter_map(move |(end, sign)| {
        let before = line.get(next..end).unwrap_or_default();
        let begin = before.rfind([',', '{', '[']).map_or(next, |at| next + at + 1);
        next = end + 1;
        (!is_path(line, begin, end)).then_some((begin, end, sign))
    });
    let mut key = keys.next();
    std::iter::from_fn(move || {
        let (begin, end, sign) = key?;
        key = keys.next();
        let value = line.get(end + 1..key.map_or(line.len(), |(begin, ..)| begin)).unwrap_or_default();
        Some(Pair { key: line.get(begin..end).unwrap_or_default(), sign, value, start: end + 1 })
    })
}

/// Whether what ends at a `:` is a path, and no key: `/v1/models/token-model:predict`.
fn is_path(line: &str, begin: usize, end: usize) -> bool {
    let behind = line.get(end..).and_then(|rest| rest.strip_prefix(':')?.chars().next());
    let goes_on = behind.is_some_and(|c| !c.is_whitespace() && !matches!(c, '"' | '\'' | '[' | '{'));
    goes_on && line.get(begin..end).is_some_and(|key| key.contains('/') && !key.ends_with(['"', '\'']))
}

fn plain(key: &str) -> &str {
    key.trim_matches([' ', '\t', '-', '"', '\'', '`'])
}

/// Where the value begins, in characters, of a line that holds the value of a key written with `?`.
fn explicit_value(line: &str) -> Option<usize> {
    let indented = line.trim_start();
    let value = indented.strip_prefix(':')?;
    (value.is_empty() || value.starts_with([' ', '\t']))
        .then(|| line.chars().count() - value.trim_start().chars().count())
}

/// Whether the key that is written with `?` above the line of its value sounds like a secret.
fn has_explicit_secret(lines: &[&str], index: usize) -> bool {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let Some(own) = lines.get(index).map(|line| indent(line)) else { return false };
    for line in lines.get(..index).unwrap_or_default().iter().rev() {
        // `- ? key` begins an item of a list.
        let key = line.trim_start_matches([' ', '-']);
        let starts = key.starts_with('?') && line.len() - key.len() == own;
        if sounds_secret(line) && (starts || indent(line) > own) {
            return true;
        }
        if starts || !line.trim().is_empty() && indent(line) <= own {
            return false;
        }
    }
    false
}

/// Whether a line is the `value` of an environment variable whose `name` sounds like a secret: anywhere in the same item of
/// the list, or, as far as can be told where the text is no YAML, in the line before or behind.
fn beside_secret(lines: &[&str], index: usize) -> bool {
    let Some(own) = lines.get(index).and_then(|line| place(line)) else { return false };
    if own.key.map(plain) != Some("value") {
        return false;
    }
    let starts_item = |place: &Place<'_>| place.first < place.at;
    let before = lines.get(..index).unwrap_or_default().iter().rev().filter(|_| !starts_item(&own));
    let behind = lines.get(index + 1..).unwrap_or_default().iter();
    let near = |line: Option<&&str>| line.is_some_and(|line| sounds_secret(line));
    let next = behind.clone().next().filter(|line| !place(line).is_some_and(|place| starts_item(&place)));
    if near(before.clone().next()) || near(next) {
        return true;
    }
    let names =
        |beside: Place<'_>| beside.at == own.at && beside.key.map(plain) == Some("name") && sounds_secret(beside.value);
    let places = before.filter_map(|line| place(line)).take_while(|beside| beside.at >= own.at);
    let mut in_item = true;
    let item = places.take_while(|beside| std::mem::replace(&mut in_item, beside.first >= own.at));
    let rest = behind.filter_map(|line| place(line)).take_while(|beside| beside.first >= own.at);
    item.chain(rest).any(names)
}

/// The characters of a line up to its value: the indentation where no key is.
fn value_start(line: &str) -> usize {
    let count = |end: usize| line.get(..end).unwrap_or_default().chars().count();
    match place(line) {
        Some(Place { at, key: Some(key), value, .. }) if plain(key) == "value" => {
            count(at + key.len() + 1 + (value.len() - value.trim_start().len()))
        }
        _ => indentation(line),
    }
}

/// The characters of a line before its first word.
fn indentation(line: &str) -> usize {
    line.chars().take_while(|character| character.is_whitespace()).count()
}

#[cfg(test)]
mod tests;
