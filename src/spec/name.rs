//! The rules for names, labels and annotations, as Kubernetes has them (`k8s.io/apimachinery`, `pkg/util/validation`).

use std::fmt;

use serde::Serialize;

/// Name of a release, by Helm's rule: an RFC 1123 subdomain of at most 53 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ReleaseName(String);

impl ReleaseName {
    /// Takes a text for a release name.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub fn parse(text: &str) -> Result<ReleaseName, &'static str> {
        if text.len() > 53 || !text.split('.').all(is_label_text) {
            return Err(
                "lower-case letters, digits, `-` and `.`, a letter or digit at both ends, at most 53 characters",
            );
        }
        Ok(ReleaseName(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReleaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A namespace: an RFC 1123 label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Namespace(String);

impl Namespace {
    /// Takes a text for a namespace.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub fn parse(text: &str) -> Result<Namespace, &'static str> {
        label(text).map(|()| Namespace(text.to_owned()))
    }

    /// The namespace as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says what is wrong with an RFC 1123 label, such as a namespace.
pub fn label(name: &str) -> Result<(), &'static str> {
    if name.len() > 63 || !is_label_text(name) {
        return Err("lower-case letters, digits and `-`, a letter or digit at both ends, at most 63 characters");
    }
    Ok(())
}

/// Says what is wrong with an RFC 1035 label, such as the name of a Service.
pub fn service(name: &str) -> Result<(), &'static str> {
    if name.len() > 63 || !is_label_text(name) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(
            "lower-case letters, digits and `-`, a letter first, a letter or digit last, at most 63 characters",
        );
    }
    Ok(())
}

/// Says what is wrong with an RFC 1123 subdomain, such as the name of a Deployment.
pub fn subdomain(name: &str) -> Result<(), &'static str> {
    if name.len() > 253 || !name.split('.').all(is_label_text) {
        return Err("lower-case letters, digits, `-` and `.`, a letter or digit at both ends, at most 253 characters");
    }
    Ok(())
}

/// Says what is wrong with a host name, as Istio takes it (`ValidateFQDN`), in lower case.
pub fn host(name: &str) -> Result<(), &'static str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or_default();
    let numeric = last.chars().all(|c| c.is_ascii_digit());
    if name.len() > 253 || numeric || !name.split('.').all(|part| label(part).is_ok()) {
        return Err(
            "labels joined by `.`, each of lower-case letters, digits and `-`, at most 63 characters, the last not a number",
        );
    }
    Ok(())
}

/// Says what is wrong with the name of a container's port.
pub fn port(name: &str) -> Result<(), &'static str> {
    let letter = name.contains(|c: char| c.is_ascii_lowercase());
    if name.len() > 15 || !is_label_text(name) || !letter || name.contains("--") {
        return Err(
            "lower-case letters, digits and single `-` between them, at least one letter, at most 15 characters",
        );
    }
    Ok(())
}

/// Says what is wrong with the name of an InferenceService: a Service `NAME-predictor` must fit 63 characters.
pub fn inference_service(name: &str) -> Result<(), &'static str> {
    if name.len() > 53 || service(name).is_err() {
        return Err(
            "lower-case letters, digits and `-`, a letter first, a letter or digit last, at most 53 characters (KServe appends `-predictor`)",
        );
    }
    Ok(())
}

/// Says what is wrong with the key of a label or annotation.
pub fn label_key(key: &str) -> Result<(), &'static str> {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if prefix.is_some_and(|prefix| subdomain(prefix).is_err()) {
        return Err("a DNS name of at most 253 characters before the `/`");
    }
    if name.is_empty() || label_value(name).is_err() {
        return Err(
            "letters, digits, `-`, `_` and `.`, a letter or digit at both ends, at most 63 characters after an optional `PREFIX/`",
        );
    }
    Ok(())
}

/// Says what is wrong with the value of a label.
pub fn label_value(value: &str) -> Result<(), &'static str> {
    let ends = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if value.len() > 63 || !value.chars().all(inner) || !ends(value.chars().next()) || !ends(value.chars().next_back())
    {
        return Err("letters, digits, `-`, `_` and `.`, a letter or digit at both ends, at most 63 characters");
    }
    Ok(())
}

fn is_label_text(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_where_kubernetes_ends_them() {
        assert!(label(&"a".repeat(63)).is_ok());
        assert!(label(&"a".repeat(64)).is_err());
        assert_eq!(ReleaseName::parse(&"a".repeat(53)).map(|name| name.as_str().len()), Ok(53));
        assert!(ReleaseName::parse(&"a".repeat(54)).is_err());
        assert!(ReleaseName::parse("").is_err());
        assert!(inference_service(&"a".repeat(54)).is_err());
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", "ü"] {
            assert!(label(bad).is_err(), "{bad}");
        }
        assert!(service("0a").is_err());
        assert!(subdomain("a.b").is_ok());
        assert!(subdomain("a..b").is_err());
    }

    #[test]
    fn hosts_and_ports_end_where_istio_and_kubernetes_end_them() {
        for good in ["a", "a.b-c.svc", "1.a", "a.b."] {
            assert!(host(good).is_ok(), "{good}");
        }
        let long = format!("{}.svc", "a".repeat(64));
        for bad in ["", "*", "*.a", "a..b", "A.b", "10.0.0.1", long.as_str()] {
            assert!(host(bad).is_err(), "{bad}");
        }
        for good in ["h2c", "http-metrics", "a23456789012345"] {
            assert!(port(good).is_ok(), "{good}");
        }
        for bad in ["", "80", "a--b", "-a", "HTTP", "a234567890123456"] {
            assert!(port(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn label_rules_are_those_of_kubernetes() {
        assert!(label_value("").is_ok());
        assert!(label_value("1.0.0+abc").is_err());
        assert!(label_key("app.kubernetes.io/name").is_ok());
        assert!(label_key("App/x").is_err());
        assert!(label_key("a/").is_err());
        assert!(label_key("").is_err());
    }
}
