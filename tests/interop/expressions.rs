//! Regular expressions of matches beside Go's `regexp/syntax`, which Istio's validation compiles them with.

use r8::route::{HttpRequest, Truth, answer};
use r8::spec::{Identity, MatchProblem, Problem, ReleaseSpec, Unknown};
use r8::templates::Catalog;
use r8::values::{Source, SourceName, load};
use serde_json::json;

use super::Random;
use super::parts::{self, Part};

/// Expressions at the edges of the grammar.
const EDGES: [&str; 96] = [
    "a{1000}",
    "a{1001}",
    "(a{1000}){1000}",
    "((a{10}){10}){10}",
    "((a{10}){10}){11}",
    "(a{500}){2}",
    "(a{500}){3}",
    "(a{2}){500}",
    "(a{500}|b*){3,}",
    "(a{1000}){0,1}",
    "((a{1000}){0}){1000}",
    "((a{1000}){0,}){2}",
    "(((((((((a{2}){2}){2}){2}){2}){2}){2}){2}){2})",
    "((((((((((a{2}){2}){2}){2}){2}){2}){2}){2}){2}){2}){2}",
    r"\p{Foo}",
    r"\p{Greek}",
    r"\p{^Greek}",
    r"\p{Any}",
    r"\pN",
    r"\pQ",
    r"\p{L",
    r"\p",
    r"[\p{Lu}\P{Han}]",
    r"[\pQ]",
    "[[:foo:]]",
    "[[:alpha:]]",
    "[[:^alpha:]]",
    "[[:alpha:]-z]",
    "[[:]",
    "[[=a=]]",
    "[a-[:alpha:]]",
    "[z-[:alpha:]]",
    r"\C",
    r"\E",
    r"\Qa*\E*",
    r"a*\Q\E*",
    r"\Qa",
    r"\x{110000}",
    r"\x{10FFFF}",
    r"\x{d800}",
    r"\x{}",
    r"\x",
    r"\x4",
    r"\xg0",
    r"\x41",
    r"[a-\d]",
    r"[\d-z]",
    r"[\b]",
    r"[\Qa]",
    r"[\x41-\x{5a}]",
    r"[\n-\t]",
    r"\é",
    "é",
    r"\_",
    r"\07",
    r"\0",
    r"\18",
    r"\12",
    r"\1",
    r"\8",
    "a**",
    "a*?",
    "a*??",
    "a++",
    "a{1}{2}",
    "(?P<n>a)(?P<n>b)",
    "(?P<n>a)(?<m>b)",
    "(?P<é>a)",
    "(?P<1a>a)",
    "(?P<a-b>a)",
    "(?P<a",
    "[z-a]",
    "[a-]",
    "[]a]",
    "[^]",
    "[a",
    "[a-",
    r"[a\",
    "a{2,1}",
    "a{,2}",
    "a{01}",
    "a{99999999999}",
    "a|*",
    "(?i)*",
    "a(?i)*",
    "a*(?i)*",
    "(?i-)a",
    "(?-i)a",
    "(?i--s)a",
    "(?-)",
    "(?i-s:a)",
    "(?=a)",
    "(?<!a)",
    "(?>a)",
    "(?",
    r"\",
];

const PIECES: [&str; 51] = [
    "a",
    "b",
    "z",
    "-",
    "-",
    "é",
    "[",
    "]",
    "[^",
    "[:",
    ":]",
    "[[:alpha:]]",
    "[:digit",
    "(",
    ")",
    "(",
    ")",
    "(?:",
    "(?P<n>",
    "(?i",
    ":",
    "(?-",
    "|",
    "*",
    "+",
    "?",
    "{2}",
    "{30,}",
    "{0,40}",
    "{0}",
    "{1}",
    "{",
    "}",
    ",",
    "1",
    "^",
    "$",
    ".",
    r"\",
    r"\d",
    r"\p",
    r"\pL",
    r"\p{Han}",
    r"\x",
    r"\x{",
    r"\Q",
    r"\E",
    r"\b",
    r"\1",
    r"\07",
    r"\n",
];

/// Whether r8 takes an expression, which stands beside another condition in a match.
fn taken(pattern: &str, catalog: &Catalog) -> bool {
    let conditions = json!([{"headers": {"a": {"exact": "b"}}, "uri": {"regex": pattern}}]);
    let values = json!({"environment": "deployment-istio", "application": {"strategy": "canary", "versions": [
        {"image": "a"}, {"image": "b", "match": conditions},
    ]}});
    let values = load(&[Source { name: SourceName::Stdin, text: values.to_string() }]).unwrap();
    let identity = Identity { release: Some("app".into()), namespace: "default".into() };
    let Err(found) = ReleaseSpec::decode(&values, catalog, &identity, Unknown::Refuse) else { return true };
    let refuses = |problem: &Problem| matches!(problem, Problem::Match(MatchProblem::Regex { .. }));
    for error in &found.errors {
        assert!(refuses(&error.problem), "{pattern:?}: {error}");
    }
    false
}

#[test]
fn expressions_are_refused_that_go_refuses_and_no_others() {
    if !parts::wanted() {
        return;
    }
    let mut random = Random(13);
    let mut patterns: Vec<String> = EDGES.iter().map(|text| (*text).to_owned()).collect();
    patterns.extend((0..20_000).map(|_| format!("a{}", random.text(&PIECES, 9))));
    // Go has come to take names of characters in any case, Envoy's RE2 has not.
    patterns.retain(|pattern| !pattern.contains(r"\pz"));
    let answer = Part::start("helm").ask(&json!({"op": "regexp", "patterns": patterns})).unwrap();
    let catalog = Catalog::embedded();
    let (mut faults, mut both) = (Vec::new(), [0, 0]);
    for (pattern, refusal) in patterns.iter().zip(answer["refusals"].as_array().unwrap()) {
        let takes = refusal == "";
        both[usize::from(takes)] += 1;
        if taken(pattern, &catalog) != takes {
            faults.push(format!("{pattern:?}: Go says {refusal}"));
        }
    }
    assert!(both.iter().all(|count| *count > 2000), "refused and taken: {both:?}");
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), patterns.len(), faults.join("\n"));
}

/// Texts that are made of the same pieces.
const TEXTS: [&str; 20] = [
    "", "a", "aa", "ab", "aba", "A", "Z", "z", "-", "é", "É", "1", "a1", "{", "a{2}", "a,1", "[a]", "a\nb", "Q*",
    "\u{7}",
];

/// Whether r8 says that an expression matches a text; none where it says that it cannot tell.
fn evaluated(pattern: &str, text: &str) -> Option<bool> {
    let route = json!({"spec": {"hosts": ["*"], "http": [{"match": [{"headers": {"x": {"regex": pattern}}}]}]}});
    let mut request = HttpRequest::parse("http://a/").unwrap();
    request.headers.insert("x".into(), text.into());
    match answer(&route, &request).tried[0].conditions[0].truth {
        Truth::Yes => Some(true),
        Truth::No => Some(false),
        Truth::Open(_) => None,
    }
}

#[test]
fn expressions_match_what_they_match_in_go() {
    if !parts::wanted() {
        return;
    }
    let mut random = Random(17);
    let mut patterns: Vec<String> = EDGES.iter().map(|text| (*text).to_owned()).collect();
    patterns.extend((0..2000).map(|_| random.text(&PIECES, 7)));
    // Istio gives this one a meaning of its own.
    patterns.retain(|pattern| pattern != "*");
    let question = json!({"op": "regexp", "patterns": patterns, "texts": TEXTS});
    let answer = Part::start("helm").ask(&question).unwrap();
    let (mut faults, mut found, mut open) = (Vec::new(), [0, 0], 0);
    for (pattern, matches) in patterns.iter().zip(answer["matches"].as_array().unwrap()) {
        for (text, matches) in TEXTS.iter().zip(matches.as_array().unwrap()) {
            match evaluated(pattern, text) {
                None => open += 1,
                Some(ours) if matches == ours => found[usize::from(ours)] += 1,
                Some(ours) => faults.push(format!("{pattern:?} on {text:?}: r8 says {ours}")),
            }
        }
    }
    assert!(faults.is_empty(), "{} differ:\n{}", faults.len(), faults[..faults.len().min(40)].join("\n"));
    assert!(found[0] > 5000 && found[1] > 500 && open < found[0], "no, yes {found:?}, open {open}");
}
