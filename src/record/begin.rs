//! How a revision begins and ends: Helm's statuses and words (`pkg/action/{install,upgrade,rollback}.go`).

use super::{Entry, Info, Status, Time, last};

impl Info {
    /// The beginning of the revision that follows `entries`: an installation where nothing is installed, else an upgrade.
    /// `first` is when the release was first deployed.
    pub fn beginning(entries: &[Entry], first: Option<Time>, now: Time) -> Info {
        let (info, first) = match last(entries).map(|last| last.status) {
            None | Some(Status::Uninstalled) => (Info::new(Status::PendingInstall, "Initial install underway"), None),
            Some(_) => (Info::new(Status::PendingUpgrade, "Preparing upgrade"), first),
        };
        Info { first_deployed: first.or(Some(now)), last_deployed: Some(now), ..info }
    }

    /// The beginning of a rollback to the revision `number`, whose notes it keeps.
    pub fn rolling_back(number: u64, notes: &str, first: Option<Time>, now: Time) -> Info {
        Info {
            first_deployed: first.or(Some(now)),
            last_deployed: Some(now),
            rollback_revision: Some(number),
            notes: notes.to_owned(),
            ..Info::new(Status::PendingRollback, &format!("Rollback to {number}"))
        }
    }

    /// Ends the revision: it is live. Described by the user, else as Helm describes it.
    pub fn complete(&mut self, description: Option<&str>) {
        let helms = match self.status {
            Status::PendingInstall => "Install complete",
            Status::PendingUpgrade => "Upgrade complete",
            _ => self.description.as_str(),
        };
        self.description = description.unwrap_or(helms).to_owned();
        self.status = Status::Deployed;
    }

    /// Ends the revision: it did not come about.
    pub fn fail(&mut self, release: &str, why: &str) {
        let what = match self.status {
            Status::PendingUpgrade => "Upgrade",
            Status::PendingRollback => "Rollback",
            _ => "Release",
        };
        self.description = format!("{what} \"{release}\" failed: {why}");
        self.status = Status::Failed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(second: u8) -> Time {
        Time::parse(&format!("2026-01-01T00:00:0{second}Z")).unwrap()
    }

    fn beginning(entries: &[(u64, Status)]) -> (Status, String, Option<Time>) {
        let entries: Vec<Entry> =
            entries.iter().map(|(number, status)| Entry { number: *number, status: *status }).collect();
        let info = Info::beginning(&entries, Some(time(1)), time(2));
        assert_eq!(info.last_deployed, Some(time(2)));
        (info.status, info.description, info.first_deployed)
    }

    #[test]
    fn what_is_not_installed_is_installed_and_all_else_upgraded() {
        let install = (Status::PendingInstall, "Initial install underway".to_owned(), Some(time(2)));
        assert_eq!(beginning(&[]), install);
        assert_eq!(beginning(&[(1, Status::Superseded), (2, Status::Uninstalled)]), install);
        let upgrade = (Status::PendingUpgrade, "Preparing upgrade".to_owned(), Some(time(1)));
        assert_eq!(beginning(&[(1, Status::Failed)]), upgrade);
    }

    #[test]
    fn a_revision_ends_with_helms_words_or_the_users() {
        let ended = |mut info: Info, description| {
            info.complete(description);
            assert_eq!(info.status, Status::Deployed);
            info.description
        };
        let rollback = || Info::rolling_back(3, "notes", Some(time(1)), time(2));
        assert_eq!(rollback().rollback_revision, Some(3));
        assert_eq!(ended(Info::beginning(&[], None, time(1)), None), "Install complete");
        assert_eq!(ended(Info::new(Status::PendingUpgrade, ""), None), "Upgrade complete");
        assert_eq!(ended(rollback(), None), "Rollback to 3");
        assert_eq!(ended(rollback(), Some("back")), "back");
    }

    #[test]
    fn a_revision_that_fails_says_why() {
        for (status, said) in [
            (Status::PendingInstall, "Release \"shop\" failed: shop-1 is not ready"),
            (Status::PendingUpgrade, "Upgrade \"shop\" failed: shop-1 is not ready"),
            (Status::PendingRollback, "Rollback \"shop\" failed: shop-1 is not ready"),
        ] {
            let mut info = Info::new(status, "");
            info.fail("shop", "shop-1 is not ready");
            assert_eq!((info.status, info.description.as_str()), (Status::Failed, said));
        }
    }
}
