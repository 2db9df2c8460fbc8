//! Files of the user that no release reads: misspelt, or in a folder that is no environment.

use super::{Catalog, SHARED, STRATEGIES, TABLE, nearest};

/// The templates of an environment beside the routes of its strategies.
const FILES: [&str; 5] =
    ["support.yaml.j2", "version.yaml.j2", "weights.yaml.j2", "routemap.yaml.j2", "str-spec.yaml.j2"];

impl Catalog {
    /// The user's files that nothing reads, each with how to repair it.
    pub fn unread(&self) -> Vec<(String, String)> {
        let environments = self.names();
        let mut known: Vec<String> = FILES.iter().map(|file| (*file).to_owned()).collect();
        known.extend(STRATEGIES.iter().filter(|name| **name != "none").map(|name| format!("{name}/route.yaml.j2")));
        let mut unread = Vec::new();
        let named = self.own.keys().filter(|path| !path.ends_with(TABLE)).map(|path| (path, true));
        for (path, is_named) in named.chain(self.unnamed.iter().map(|path| (path, false))) {
            let (folder, file) = path.split_once('/').unwrap_or(("", path));
            let is_environment = folder == SHARED || environments.iter().any(|name| name == folder);
            if is_named && (is_environment && known.iter().any(|known| known == file) || self.is_included(path)) {
                continue;
            }
            let hint = if !is_named {
                "the names of templates end with `.yaml.j2`, a key table is called `environment.yaml`".to_owned()
            } else if is_environment {
                nearest(file, &known)
            } else if folder.is_empty() {
                "put it into the folder of an environment".to_owned()
            } else {
                format!("`{folder}` is no environment: write `{folder}/{TABLE}`, or {}", nearest(folder, &environments))
            };
            unread.push((path.clone(), hint));
        }
        unread
    }

    /// Whether another template names a file.
    fn is_included(&self, path: &str) -> bool {
        self.files().iter().any(|file| file.path != path && file.text.contains(path))
    }
}
