//! The namespace of the kube context, for commands that need no cluster.

use serde::Deserialize;

/// The part of a kubeconfig that says which namespace is meant.
#[derive(Debug, Default, Deserialize)]
struct Kubeconfig {
    #[serde(rename = "current-context", default)]
    current: Option<String>,
    #[serde(default)]
    contexts: Option<Vec<Named>>,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
    #[serde(default)]
    context: Option<Context>,
}

#[derive(Debug, Deserialize)]
struct Context {
    #[serde(default)]
    namespace: Option<String>,
}

/// Why the kubeconfig does not say which namespace is meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KubeconfigError {
    /// A text is no kubeconfig: its index, line and column, and what the reader says.
    Text { index: usize, line: u32, column: u32, message: String },
    /// There is no such context; the names of those that are there.
    UnknownContext(Vec<String>),
}

/// The namespace of the context `wanted`, else of the current one, in files merged as kubectl merges them: the first that
/// says something wins.
///
/// A current context that does not exist says nothing, as to kubectl.
pub(super) fn namespace(texts: &[String], wanted: Option<&str>) -> Result<Option<String>, KubeconfigError> {
    let mut files = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        if text.trim().is_empty() {
            continue;
        }
        let file: Kubeconfig = serde_saphyr::from_str(text).map_err(|error| {
            let (line, column) = error.location().map_or((1, 1), |place| (place.line() as u32, place.column() as u32));
            let message = error.without_snippet().to_string();
            // The reader names a function of its own as the way out.
            let message = match message.split(" at line ").next().unwrap_or_default() {
                several if several.starts_with("multiple YAML documents") => {
                    "several documents, and it is one".to_owned()
                }
                message => message.to_owned(),
            };
            KubeconfigError::Text { index, line, column, message }
        })?;
        files.push(file);
    }
    let current = files.iter().find_map(|file| file.current.as_deref().filter(|name| !name.is_empty()));
    let Some(name) = wanted.or(current) else { return Ok(None) };
    let contexts = || files.iter().flat_map(|file| file.contexts.iter().flatten());
    let Some(found) = contexts().find(|context| context.name == name) else {
        let mut known: Vec<String> = contexts().map(|context| context.name.clone()).collect();
        known.sort();
        known.dedup();
        return if wanted.is_some() { Err(KubeconfigError::UnknownContext(known)) } else { Ok(None) };
    };
    let namespace = found.context.as_ref().and_then(|context| context.namespace.clone());
    Ok(namespace.filter(|namespace| !namespace.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> [String; 2] {
        let first = "current-context: a\ncontexts:\n- name: b\n  context: {namespace: two, user: x}\n".to_owned();
        let second = "current-context: b\ncontexts:\n- name: a\n  context: {namespace: one}\n".to_owned();
        [first, second]
    }

    #[test]
    fn the_first_file_that_says_something_wins() {
        assert_eq!(namespace(&texts(), None), Ok(Some("one".into())));
        assert_eq!(namespace(&texts(), Some("b")), Ok(Some("two".into())));
        assert_eq!(namespace(&[String::new()], None), Ok(None));
    }

    #[test]
    fn an_unknown_context_is_answered_with_the_known_ones() {
        let known = KubeconfigError::UnknownContext(vec!["a".into(), "b".into()]);
        assert_eq!(namespace(&texts(), Some("c")), Err(known));
        assert_eq!(namespace(&["current-context: c\n".into()], None), Ok(None));
    }

    #[test]
    fn a_text_that_is_no_kubeconfig_is_reported_at_its_place() {
        let error = namespace(&[String::new(), "contexts:\n- nmae: a\n".into()], None).unwrap_err();
        assert!(matches!(error, KubeconfigError::Text { index: 1, line: 2, .. }), "{error:?}");
        let error = namespace(&["contexts: []\n---\ncontexts: []\n".into()], None).unwrap_err();
        let KubeconfigError::Text { line, message, .. } = error else { panic!("{error:?}") };
        assert_eq!((line, message.as_str()), (3, "several documents, and it is one"));
    }
}
