//! Where Helm keeps its records.

use super::RecordsError;

/// What records are kept in: `HELM_DRIVER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Driver {
    /// Secrets.
    #[default]
    Secret,
    /// ConfigMaps.
    ConfigMap,
}

impl Driver {
    /// Reads the value of `HELM_DRIVER`; nothing means Secrets.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Driver`] for any other, Helm's `memory` and `sql` among them.
    pub fn parse(text: &str) -> Result<Driver, RecordsError> {
        match text {
            "" | "secret" | "secrets" => Ok(Driver::Secret),
            "configmap" | "configmaps" => Ok(Driver::ConfigMap),
            other => Err(RecordsError::Driver(other.to_owned())),
        }
    }

    /// The kind of the objects that hold records.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Driver::Secret => "Secret",
            Driver::ConfigMap => "ConfigMap",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_have_helms_names_and_others_are_refused() {
        for text in ["", "secret", "secrets"] {
            assert_eq!(Driver::parse(text).unwrap(), Driver::Secret);
        }
        for text in ["configmap", "configmaps"] {
            assert_eq!(Driver::parse(text).unwrap(), Driver::ConfigMap);
        }
        for text in ["memory", "sql", "Secret"] {
            let said = format!("`HELM_DRIVER` is `{text}`, and r8 keeps release records in Secrets or ConfigMaps only");
            assert_eq!(Driver::parse(text).unwrap_err().to_string(), said);
        }
    }
}
