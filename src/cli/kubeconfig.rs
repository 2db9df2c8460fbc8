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

/// The namespace of the wanted context, else of the current one, in files merged as kubectl merges them: the first that
/// says something wins.
///
/// # Errors
///
/// The message of the reader for a file that is no kubeconfig, with the file's number.
pub(super) fn namespace(texts: &[String], context: Option<&str>) -> Result<Option<String>, (usize, String)> {
    let mut files = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        if text.trim().is_empty() {
            continue;
        }
        let file: Kubeconfig =
            serde_saphyr::from_str(text).map_err(|error| (index, error.without_snippet().to_string()))?;
        files.push(file);
    }
    let current = files.iter().find_map(|file| file.current.as_deref().filter(|name| !name.is_empty()));
    let Some(wanted) = context.or(current) else { return Ok(None) };
    let mut contexts = files.iter().flat_map(|file| file.contexts.iter().flatten());
    let found = contexts.find(|named| named.name == wanted).and_then(|named| named.context.as_ref());
    Ok(found.and_then(|context| context.namespace.clone()).filter(|namespace| !namespace.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_file_that_says_something_wins() {
        let first = "current-context: a\ncontexts:\n- name: b\n  context: {namespace: two, user: x}\n".to_owned();
        let second = "current-context: b\ncontexts:\n- name: a\n  context: {namespace: one}\n".to_owned();
        let texts = [first, second];
        assert_eq!(namespace(&texts, None), Ok(Some("one".into())));
        assert_eq!(namespace(&texts, Some("b")), Ok(Some("two".into())));
        assert_eq!(namespace(&texts, Some("c")), Ok(None));
        assert_eq!(namespace(&[String::new()], None), Ok(None));
        assert!(namespace(&["a: [".into()], None).is_err());
    }
}
