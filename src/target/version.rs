//! What a release is to run on: products with their versions, as `kserve=0.20,istio=1.27` says them.

use std::fmt;

use thiserror::Error;

use super::table::{Product, Table};
use crate::templates::nearest;

/// A version, without its patch: nothing that the table knows came with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
}

impl Version {
    /// Reads `1.27`, `v1.27` or `1.27.3`; none for anything else.
    pub fn parse(text: &str) -> Option<Version> {
        let mut parts = text.strip_prefix('v').unwrap_or(text).split('.');
        let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?;
        let version = Version { major: number(parts.next()?)?, minor: number(parts.next()?)? };
        let patch: Option<u32> = match parts.next() {
            Some(part) => Some(number(part)?),
            None => None,
        };
        (parts.next().is_none() && patch.is_none_or(|patch| patch < 1_000_000)).then_some(version)
    }

    /// Reads what follows the last colon of an image, such as `pilot:1.27.1-distroless`.
    pub fn of_image(image: &str) -> Option<Version> {
        let name = image.split('@').next().unwrap_or_default();
        let (_, tag) = name.rsplit('/').next()?.split_once(':')?;
        Version::parse(tag.split('-').next()?)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Why a text names no target.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TargetError {
    /// A part that is not `PRODUCT=VERSION`.
    #[error("`--target` takes PRODUCT=VERSION, found `{0}`")]
    Grammar(String),
    /// A product that the table does not know.
    #[error("`--target` knows no product `{name}`")]
    UnknownProduct {
        /// The name in it.
        name: String,
        /// The products there are.
        known: Vec<String>,
    },
    /// A version that the table does not know.
    #[error("`--target` knows no version `{version}` of {product}")]
    UnknownVersion {
        /// The product.
        product: String,
        /// The text in place of its version.
        version: String,
        /// The versions there are, in words.
        known: String,
    },
    /// A product that is named twice.
    #[error("`--target` names {0} twice")]
    Twice(String),
}

impl TargetError {
    /// How to repair it.
    pub fn hint(&self) -> String {
        match self {
            TargetError::Grammar(_) => "write it as in `--target kserve=0.20,istio=1.27,gateway-api=1.6`".into(),
            TargetError::UnknownProduct { name, known } => nearest(name, known),
            TargetError::UnknownVersion { known, .. } => format!("it knows {known}"),
            TargetError::Twice(_) => "drop one of them".into(),
        }
    }
}

/// What a release is to run on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// Products with their versions, in the order given.
    pub versions: Vec<(String, Version)>,
    /// The versions of API groups that are served, as `group/version`, with the kinds of each; none where no cluster was asked.
    pub served: Option<Vec<(String, Vec<String>)>>,
}

impl Target {
    /// Reads a list such as `kserve=0.20,istio=1.27`.
    ///
    /// # Errors
    ///
    /// Every variant of [`TargetError`].
    pub fn parse(text: &str, table: &Table) -> Result<Target, TargetError> {
        let mut versions: Vec<(String, Version)> = Vec::new();
        for part in text.split(',') {
            let grammar = || TargetError::Grammar(part.to_owned());
            let (name, version) = part.trim().split_once('=').ok_or_else(grammar)?;
            if name.is_empty() || version.is_empty() {
                return Err(grammar());
            }
            let product = table.product(name).ok_or_else(|| TargetError::UnknownProduct {
                name: name.to_owned(),
                known: table.products.iter().map(|product| product.name.clone()).collect(),
            })?;
            let known = Version::parse(version).filter(|version| product.knows(*version));
            let version = known.ok_or_else(|| TargetError::UnknownVersion {
                product: name.to_owned(),
                version: version.to_owned(),
                known: product.range(),
            })?;
            if versions.iter().any(|(known, _)| known == name) {
                return Err(TargetError::Twice(name.to_owned()));
            }
            versions.push((name.to_owned(), version));
        }
        Ok(Target { versions, served: None })
    }

    /// The version of a product; none where it is not part of the target.
    pub fn version(&self, product: &str) -> Option<Version> {
        self.versions.iter().find(|(name, _)| name == product).map(|(_, version)| *version)
    }

    /// The target in words: `istio 1.27, kserve 0.20`.
    pub fn words(&self) -> String {
        let words: Vec<String> = self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        words.join(", ")
    }
}

impl Product {
    /// Whether the table knows a version.
    pub fn knows(&self, version: Version) -> bool {
        self.versions.iter().any(|[first, last]| (first.0..=last.0).contains(&version))
    }

    /// The nearest version that the table knows.
    pub fn nearest(&self, version: Version) -> Version {
        if self.knows(version) {
            return version;
        }
        let ends = self.versions.iter().flatten().map(|end| end.0);
        let below = ends.clone().filter(|end| *end < version).max();
        below.or_else(|| ends.min()).unwrap_or(version)
    }

    /// The versions that the table knows, in words.
    pub fn range(&self) -> String {
        let ranges = self.versions.iter().map(|[first, last]| format!("{} to {}", first.0, last.0));
        ranges.collect::<Vec<_>>().join(" and ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_two_numbers_and_perhaps_a_patch() {
        for text in ["1.27", "v1.27", "1.27.3"] {
            assert_eq!(Version::parse(text), Some(Version { major: 1, minor: 27 }), "{text}");
        }
        for text in ["", "1", "1.", ".1", "1.x", "1.27.x", "1.27.3.4", "1.27-rc1", "+1.2", "99999999999.1"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_image_says_its_version_in_its_tag() {
        let known = Some(Version { major: 1, minor: 27 });
        for image in ["pilot:1.27.1", "docker.io/istio/pilot:1.27.1-distroless", "localhost:5000/p:v1.27.0@sha256:ab"] {
            assert_eq!(Version::of_image(image), known, "{image}");
        }
        for image in ["pilot", "localhost:5000/pilot", "pilot:latest", "pilot@sha256:ab"] {
            assert_eq!(Version::of_image(image), None, "{image}");
        }
    }

    #[test]
    fn a_version_that_the_table_does_not_know_is_judged_as_the_nearest_below() {
        let table = Table::embedded();
        let product = table.product("gateway-api").unwrap();
        let at = |major, minor| Version { major, minor };
        assert_eq!(product.nearest(at(9, 0)), at(1, 6));
        assert_eq!(product.nearest(at(0, 9)), at(0, 8));
        assert_eq!(product.nearest(at(0, 1)), at(0, 5));
        assert_eq!(product.nearest(at(1, 2)), at(1, 2));
    }
}
