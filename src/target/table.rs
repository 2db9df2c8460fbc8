//! The table of what products lack and ignore: the form of `table.yaml`.

use serde::{Deserialize, Deserializer, de};

use super::version::{Target, Version};

/// The embedded table.
const TEXT: &str = include_str!("table.yaml");

/// What products lack and ignore, by version.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The products that a target can name.
    pub products: Vec<Product>,
    /// What every known version of a product refuses.
    pub limits: Vec<Limit>,
    /// What is to be known of them.
    pub rows: Vec<Row>,
}

/// A product with the versions that the table knows.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Its name in a target.
    pub name: String,
    /// The API group of its objects.
    pub group: String,
    /// Ranges of versions, first and last.
    pub versions: Vec<[Known; 2]>,
}

/// What every known version of a product refuses, and so r8 whatever the target.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// The product.
    pub product: String,
    /// What is refused.
    pub what: String,
    /// A folder below `testdata/render/errors` with a release that is refused for it.
    pub case: String,
    /// Where it is written.
    pub source: String,
}

/// A version in the table.
#[derive(Debug, Clone, Copy)]
pub struct Known(pub Version);

impl<'de> Deserialize<'de> for Known {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Known, D::Error> {
        let text = String::deserialize(reader)?;
        Version::parse(&text).map(Known).ok_or_else(|| de::Error::custom(format!("`{text}` is no version")))
    }
}

/// One thing that some versions of a product lack or ignore.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Row {
    /// Its name, for tests and for people who want to speak of it.
    pub id: String,
    /// The product.
    pub product: String,
    /// The first version that it holds for; all up to `before` when absent.
    #[serde(default)]
    pub since: Option<Known>,
    /// The first version that it does not hold for any more; all from `since` when absent.
    #[serde(default)]
    pub before: Option<Known>,
    /// What the product does with it.
    pub effect: Effect,
    /// The rule of the decoder that warns of the same where no version is named; none where it says nothing of it.
    #[serde(default)]
    pub instead_of: Option<String>,
    /// What is looked for.
    pub detect: Detect,
    /// What is said, with `{object}` and `{found}` for what was found.
    pub message: String,
    /// How to repair it.
    pub hint: String,
    /// Where it is written.
    pub source: String,
}

impl Row {
    /// Whether it holds for a version.
    pub fn holds(&self, version: Version) -> bool {
        self.since.is_none_or(|since| since.0 <= version) && self.before.is_none_or(|before| version < before.0)
    }
}

/// What a product does with something that it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Refuses it, or does something else instead: the release does not work.
    Lacks,
    /// Takes it and does nothing with it.
    Ignores,
}

/// Who says the mode of an InferenceService.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The environment, which takes no other one.
    Environment,
    /// The values.
    Values,
}

/// What is looked for in a release.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Detect {
    /// An object of this `apiVersion`; of these kinds, when there are some.
    ApiVersion {
        /// Group and version.
        version: String,
        /// The kinds; all when empty.
        #[serde(default)]
        kinds: Vec<String>,
    },
    /// A field of an object of a kind, at a path such as `spec.http[].mirrors`.
    Field {
        /// The kind.
        kind: String,
        /// The path.
        path: String,
        /// Only in objects that leave the mode of KServe to the cluster.
        #[serde(default)]
        by_default: bool,
    },
    /// A list of an object of a kind with more items than this.
    Longer {
        /// The kind.
        kind: String,
        /// The path of the list.
        path: String,
        /// The most items that are allowed.
        most: usize,
    },
    /// The mode of an InferenceService, as its annotation has it; an empty one where the cluster decides.
    Mode {
        /// The modes.
        any: Vec<String>,
        /// Who says it; anybody when absent.
        #[serde(default)]
        by: Option<By>,
    },
    /// Weights of one rule that do not add up to this, with some set of versions ready.
    WeightsBeside {
        /// The sum.
        sum: u64,
    },
    /// Requests go to a Service whose name is the object's with this behind it.
    Suffix {
        /// What stands behind the name.
        is: String,
    },
    /// KServe makes Services of these endings, and one of their names is longer than 63 characters.
    LongService {
        /// What stands behind `NAME-predictor`.
        tail: String,
    },
}

impl Table {
    /// The table that r8 is built with.
    ///
    /// # Panics
    ///
    /// Never: a test reads it.
    pub fn embedded() -> Table {
        serde_saphyr::from_str(TEXT).expect("a test reads it")
    }

    /// Whether a target names the product that a rule of the decoder warns about: what holds for it, the table says.
    pub fn speaks_for(&self, rule: &str, target: &Target) -> bool {
        let instead = |row: &Row| row.instead_of.as_deref() == Some(rule) && target.version(&row.product).is_some();
        self.rows.iter().any(instead)
    }

    /// A product by its name.
    pub fn product(&self, name: &str) -> Option<&Product> {
        self.products.iter().find(|product| product.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_has_a_source_a_product_and_a_bound_or_holds_for_all_that_is_known() {
        let table = Table::embedded();
        let ids: BTreeSet<&str> = table.rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids.len(), table.rows.len());
        for row in &table.rows {
            assert!(!row.source.is_empty() && !row.hint.is_empty(), "{}", row.id);
            let product = table.product(&row.product).unwrap_or_else(|| panic!("{} has no product", row.id));
            for bound in [row.since, row.before].into_iter().flatten() {
                assert!(product.knows(bound.0), "{}: {} is not known", row.id, bound.0);
            }
        }
    }
}
