//! The catalog: environments, their strategies, key tables and templates, from the embedded folder and a user's own.

mod error;
mod keys;
mod table;
#[cfg(test)]
mod tests;
mod unread;

use std::borrow::Cow;
use std::collections::BTreeMap;

use indexmap::IndexMap;

pub use error::{Place, TemplatesError};
pub use table::{Configs, DestinationRule, Form, KeyRule, ObjectRule, RouteRule, StrategyRule, Table, WeightRule};

/// The folder whose key table and templates every environment shares.
const SHARED: &str = "_shared";
/// File name of a key table.
const TABLE: &str = "environment.yaml";
/// The strategies r8 knows; an environment names those it has.
pub const STRATEGIES: [&str; 4] = ["none", "blue-green", "canary", "mirror"];

/// Path, text and packed key table of every embedded file; made by `build.rs`, sorted by path.
static EMBEDDED: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// One template or key table with its path below `templates/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Path with `/`, such as `kserve/version.yaml.j2`.
    pub path: String,
    /// The text.
    pub text: String,
}

impl File {
    /// Whether a file of this name is read.
    pub fn is_read(path: &str) -> bool {
        path.ends_with(".j2") || path.rsplit('/').next() == Some(TABLE)
    }
}

/// What `r8 templates list` says of one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentSummary {
    /// The name that `environment` in the values takes.
    pub name: String,
    /// One line for people.
    pub doc: String,
    /// Its strategies.
    pub strategies: Vec<String>,
}

/// All environments, embedded and of the user.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// The user's files; they win over the embedded ones.
    own: BTreeMap<String, String>,
    /// The key tables of the user.
    tables: BTreeMap<String, Table>,
    /// Paths of the user's files whose names are not those of templates, though they look like some.
    unnamed: Vec<String>,
}

/// One environment with everything that it takes from its bases and from the shared keys.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// Its own settings over those of its bases; `keys` has the shared ones first.
    pub table: Table,
    /// The folders searched for a template: its own, then its bases'.
    folders: Vec<String>,
}

impl Environment {
    /// What the strategy means here; none when the environment does not have it.
    pub fn strategy(&self, name: &str) -> Option<&StrategyRule> {
        self.table.strategies.as_ref()?.get(name)
    }

    /// The names of its strategies.
    pub fn strategies(&self) -> Vec<&str> {
        let strategies = self.table.strategies.iter().flatten();
        strategies.map(|(name, _)| name.as_str()).collect()
    }

    /// The objects of one version.
    pub fn objects(&self) -> &[ObjectRule] {
        self.table.objects.as_deref().unwrap_or_default()
    }

    /// The values that hold where nothing is given, as a chart's `values.yaml` has them; those of each version are not
    /// among them.
    pub fn defaults(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut defaults = serde_json::Map::new();
        let plain = self.table.keys.iter().filter(|(path, _)| !path.contains("[]"));
        for (path, default) in plain.filter_map(|(path, rule)| Some((path, rule.default.as_ref()?))) {
            let mut map = &mut defaults;
            let (above, name) = path.rsplit_once('.').unwrap_or(("", path));
            for key in above.split('.').filter(|key| !key.is_empty()) {
                let below = map.entry(key).or_insert_with(|| serde_json::Map::new().into());
                let serde_json::Value::Object(below) = below else { return defaults };
                map = below;
            }
            map.insert(name.to_owned(), default.clone());
        }
        defaults
    }
}

impl Catalog {
    /// The embedded environments alone.
    pub fn embedded() -> Catalog {
        Catalog::default()
    }

    /// Adds the user's files, which replace embedded ones of the same path.
    ///
    /// Only what is called `*.j2` or `environment.yaml` is read; other files are remembered for [`Catalog::unread`].
    ///
    /// # Errors
    ///
    /// [`TemplatesError::Table`] if a key table is not of the form of [`Table`];
    /// [`TemplatesError::UnknownBase`], [`TemplatesError::Cycle`], [`TemplatesError::UnknownStrategy`],
    /// [`TemplatesError::UnknownObject`], [`TemplatesError::Key`] and [`TemplatesError::Pattern`] if what it names does not exist or cannot be read.
    pub fn with_files(mut self, files: Vec<File>) -> Result<Catalog, TemplatesError> {
        for File { path, text } in files {
            if !File::is_read(&path) {
                self.unnamed.push(path);
                continue;
            }
            if let Some(name) = path.strip_suffix(TABLE).and_then(|folder| folder.strip_suffix('/')) {
                let table = serde_saphyr::from_str(&text).map_err(|error| {
                    let (line, column) =
                        error.location().map_or((1, 1), |place| (place.line() as u32, place.column() as u32));
                    let place = Place { file: path.clone(), line, column };
                    TemplatesError::Table { place, message: error::in_words(&error.without_snippet().to_string()) }
                })?;
                self.tables.insert(name.to_owned(), table);
            }
            self.own.insert(path, text);
        }
        // The shared keys are those of every environment.
        let touched =
            if self.tables.contains_key(SHARED) { self.names() } else { self.tables.keys().cloned().collect() };
        for name in touched {
            self.check(&self.environment(&name)?)?;
        }
        Ok(self)
    }

    /// Checks that the parts of an environment's table fit together.
    fn check(&self, environment: &Environment) -> Result<(), TemplatesError> {
        for strategy in environment.strategies() {
            if !STRATEGIES.contains(&strategy) {
                let place = self.place(environment, &format!("{strategy}:"));
                return Err(TemplatesError::UnknownStrategy { place, strategy: strategy.to_owned() });
            }
        }
        for strategy in environment.strategies().into_iter().filter(|strategy| *strategy != "none") {
            let place = || self.place(environment, &format!("{strategy}:"));
            if environment.table.route.is_none() {
                return Err(TemplatesError::NoRoute { place: place(), strategy: strategy.to_owned() });
            }
            let file = format!("{strategy}/route.yaml.j2");
            if self.find(environment, &file).is_none() {
                let file = format!("{}/{file}", environment.name);
                return Err(TemplatesError::Missing { place: place(), file });
            }
        }
        if self.find(environment, "version.yaml.j2").is_none() {
            let file = format!("{}/version.yaml.j2", environment.name);
            return Err(TemplatesError::Missing { place: self.place(environment, "doc:"), file });
        }
        if let Some(DestinationRule { object, .. }) = &environment.table.destination
            && !environment.objects().iter().any(|rule| rule.name == *object)
        {
            let place = self.place(environment, "destination:");
            return Err(TemplatesError::UnknownObject { place, object: object.clone() });
        }
        for (key, rule) in &environment.table.keys {
            if let Some(pattern) = &rule.pattern
                && let Err(error) = regex_lite::Regex::new(pattern)
            {
                let place = self.place(environment, &format!("{key}:"));
                return Err(TemplatesError::Pattern { place, key: key.clone(), message: error.to_string() });
            }
            if let Some(wrong) = keys::wrong(&environment.table.keys, key, rule) {
                let place = self.place(environment, &format!("{key}:"));
                return Err(TemplatesError::Key { place, key: key.clone(), wrong });
            }
        }
        Ok(())
    }

    /// Where a word stands in the user's key tables that an environment takes its settings from, the nearest first.
    fn place(&self, environment: &Environment, word: &str) -> Place {
        let folders = environment.folders.iter().map(String::as_str).chain([SHARED]);
        for file in folders.map(|folder| format!("{folder}/{TABLE}")) {
            let lines = self.own.get(&file).map(|text| text.lines()).into_iter().flatten();
            for (line, text) in (1..).zip(lines) {
                if let Some(at) = text.find(word) {
                    let column = text.get(..at).unwrap_or_default().chars().count() as u32 + 1;
                    return Place { file, line, column };
                }
            }
        }
        Place { file: format!("{}/{TABLE}", environment.name), line: 1, column: 1 }
    }

    /// The names of all environments.
    pub fn names(&self) -> Vec<String> {
        let embedded = EMBEDDED.iter().filter_map(|(path, ..)| path.strip_suffix("/environment.yaml"));
        let mut names: Vec<String> = embedded.map(str::to_owned).chain(self.tables.keys().cloned()).collect();
        names.retain(|name| name != SHARED);
        names.sort();
        names.dedup();
        names
    }

    /// Name, strategies and purpose of every environment.
    pub fn environments(&self) -> Vec<EnvironmentSummary> {
        let known = self.names().into_iter().filter_map(|name| self.environment(&name).ok());
        known
            .map(|environment| EnvironmentSummary {
                doc: environment.table.doc.clone(),
                strategies: environment.strategies().into_iter().map(str::to_owned).collect(),
                name: environment.name,
            })
            .collect()
    }

    /// One environment, complete.
    ///
    /// # Errors
    ///
    /// [`TemplatesError::UnknownEnvironment`], or a base that does not exist or leads back to itself.
    pub fn environment(&self, name: &str) -> Result<Environment, TemplatesError> {
        let mut table = self
            .table(name)
            .ok_or_else(|| TemplatesError::UnknownEnvironment { name: name.to_owned(), known: self.names() })?;
        let mut folders = vec![name.to_owned()];
        let mut next = table.base.clone();
        while let Some(base) = next {
            let place = || {
                let folders = folders.last().cloned().into_iter().collect();
                self.place(&Environment { name: name.to_owned(), table: Table::default(), folders }, "base:")
            };
            if folders.contains(&base) {
                return Err(TemplatesError::Cycle { place: place(), base });
            }
            let lower = self.table(&base).ok_or_else(|| TemplatesError::UnknownBase {
                place: place(),
                base: base.clone(),
                known: self.names(),
            })?;
            folders.push(base);
            next = lower.base.clone();
            table = over(table, lower);
        }
        if let Some(shared) = self.table(SHARED) {
            table = over(table, shared);
        }
        Ok(Environment { name: name.to_owned(), table: table.into_owned(), folders })
    }

    /// What can be judged while nobody knows which environment is meant: the shared keys, and beside them, whatever their
    /// values, the keys that any environment has.
    ///
    /// It has no name, no strategy and no template.
    pub fn undecided(&self) -> Environment {
        let mut keys = self.table(SHARED).map(|table| table.into_owned().keys).unwrap_or_default();
        let others = self.names().into_iter().filter_map(|name| self.environment(&name).ok());
        for (key, rule) in others.flat_map(|environment| environment.table.keys) {
            keys.entry(key).or_insert_with(|| KeyRule::anything(rule.doc));
        }
        // Whoever asks has found out what is wrong with it.
        keys.insert("environment".into(), KeyRule::anything(String::new()));
        Environment { name: String::new(), table: Table { keys, ..Table::default() }, folders: Vec::new() }
    }

    fn table(&self, name: &str) -> Option<Cow<'_, Table>> {
        if let Some(table) = self.tables.get(name) {
            return Some(Cow::Borrowed(table));
        }
        let path = format!("{name}/{TABLE}");
        let index = EMBEDDED.binary_search_by(|(known, ..)| (*known).cmp(path.as_str())).ok()?;
        let table = serde_json::from_str(EMBEDDED.get(index)?.2);
        Some(Cow::Owned(table.expect("build.rs has packed it from the same type")))
    }

    /// The text of a template by its path; none if there is no such file.
    pub fn text(&self, path: &str) -> Option<Cow<'static, str>> {
        if let Some(text) = self.own.get(path) {
            return Some(Cow::Owned(text.clone()));
        }
        let index = EMBEDDED.binary_search_by(|(known, ..)| (*known).cmp(path)).ok()?;
        EMBEDDED.get(index).map(|(_, text, _)| Cow::Borrowed(*text))
    }

    /// Whether a path is the user's own file.
    pub fn is_own(&self, path: &str) -> bool {
        self.own.contains_key(path)
    }

    /// The path of an environment's template `file`, its own or of the nearest base that has it.
    pub fn find(&self, environment: &Environment, file: &str) -> Option<String> {
        let shared = [SHARED.to_owned()];
        let folders = environment.folders.iter().chain(&shared);
        let mut paths = folders.map(|folder| format!("{folder}/{file}"));
        paths.find(|path| self.text(path).is_some())
    }

    /// All files, embedded ones replaced by the user's; sorted by path.
    pub fn files(&self) -> Vec<File> {
        let mut files: BTreeMap<&str, &str> = EMBEDDED.iter().map(|(path, text, _)| (*path, *text)).collect();
        files.extend(self.own.iter().map(|(path, text)| (path.as_str(), text.as_str())));
        let file = |(path, text): (&str, &str)| File { path: path.to_owned(), text: text.to_owned() };
        files.into_iter().map(file).collect()
    }

    /// The templates that one strategy of an environment uses, in the order of rendering.
    ///
    /// # Errors
    ///
    /// [`TemplatesError::UnknownEnvironment`] or [`TemplatesError::NoStrategy`].
    pub fn show(&self, environment: &str, strategy: &str) -> Result<Vec<File>, TemplatesError> {
        let environment = self.environment(environment)?;
        let Some(rule) = environment.strategy(strategy) else {
            return Err(TemplatesError::NoStrategy {
                environment: environment.name.clone(),
                strategy: strategy.to_owned(),
                known: environment.strategies().into_iter().map(str::to_owned).collect(),
            });
        };
        let mut names = vec![TABLE.to_owned(), "support.yaml.j2".to_owned(), "version.yaml.j2".to_owned()];
        if rule.configs != Configs::None {
            names.push("weights.yaml.j2".to_owned());
        }
        names.push("routemap.yaml.j2".to_owned());
        names.push(format!("{strategy}/route.yaml.j2"));
        let paths = names.iter().filter_map(|name| self.find(&environment, name));
        let file = |path: String| Some(File { text: self.text(&path)?.into_owned(), path });
        Ok(paths.filter_map(file).collect())
    }
}

/// A sentence for people: the nearest of the `known` names, or all of them.
pub(crate) fn nearest<S: AsRef<str>>(word: &str, known: &[S]) -> String {
    let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    let all = known.join(", ");
    match similar::get_close_matches(word, &known, 1, 0.6).first() {
        Some(close) => format!("did you mean `{close}`? choose one of {all}"),
        None => format!("choose one of {all}"),
    }
}

/// `upper` with everything that it leaves open taken from `lower`.
fn over<'a>(upper: Cow<'a, Table>, lower: Cow<'a, Table>) -> Cow<'a, Table> {
    let (upper, lower) = (upper.into_owned(), lower.into_owned());
    let mut keys: IndexMap<String, KeyRule> = lower.keys;
    keys.extend(upper.keys);
    Cow::Owned(Table {
        doc: upper.doc,
        base: upper.base,
        objects: upper.objects.or(lower.objects),
        destination: upper.destination.or(lower.destination),
        application_object: upper.application_object.or(lower.application_object),
        route: upper.route.or(lower.route),
        constants: upper.constants.or(lower.constants),
        strategies: upper.strategies.or(lower.strategies),
        keys,
    })
}
