//! A revision while it is made: begun before the first write, kept alive, rewritten, finished after the last.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

use super::lock::BEAT;
use super::{Holder, Kept, Known, Records, RecordsError};
use crate::plan::Release;
use crate::record::{Entry, Revision, Status, pruned};

/// How long a new revision waits for a deletion to let go of the one before: much longer than one request takes.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it looks.
const LET_GO: Duration = Duration::from_millis(200);

/// A revision that this run makes: the lock of its release.
///
/// The one that keeps it alive and the one that writes it may be under way at the same time.
pub struct Held<'c> {
    records: Records<'c>,
    holder: Holder,
    kept: RefCell<Kept>,
}

impl<'c> Records<'c> {
    /// Begins a revision: creates its pending record, which locks the release.
    ///
    /// A deletion locks the release by another record, the last before this one, so both may succeed at the same time. Each
    /// looks at the other's after its own write, and one of the two sees the other's: the deletion that sees a new revision
    /// lets go, see [`Records::hold`]; who sees a deletion that does not let go soon was the later one, and lets go itself.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Taken`] when another run has begun it, or a deletion has let go or ended meanwhile: what there is now
    /// has to be looked at; [`RecordsError::Locked`] when the release is being deleted; and as [`Records::create`].
    pub async fn begin(&self, pending: &Revision, holder: Holder, now: SystemTime) -> Result<Held<'c>, RecordsError> {
        let kept = self.create(pending, Some(&holder), now).await?;
        let held = Held { records: *self, holder, kept: RefCell::new(kept) };
        let (release, number) = (held.release(), held.number());
        let (until, mut waited) = (Instant::now() + PATIENCE, false);
        loop {
            let known = self.history(&release).await?;
            let before = known.iter().rev().find(|known| known.entry.number < number);
            let deleted = before.filter(|known| known.is_locked());
            if deleted.is_none() && !waited {
                return Ok(held);
            }
            if deleted.is_none() || Instant::now() >= until {
                self.delete(&release, number).await?;
                return Err(match deleted {
                    Some(deleted) => self.locked(deleted).await?,
                    None => self.taken(&release, number).await?,
                });
            }
            waited = true;
            sleep(LET_GO).await;
        }
    }

    /// Holds a revision that is there, as `change` makes it: uninstalling, so that its objects can be deleted.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Outrun`] when another run has written it, [`RecordsError::Locked`] or [`RecordsError::Taken`] when
    /// another run has begun the next revision meanwhile; and as [`Records::create`].
    pub async fn hold(
        &self,
        mut kept: Kept,
        change: impl FnOnce(&mut Revision),
        holder: Holder,
        now: SystemTime,
    ) -> Result<Held<'c>, RecordsError> {
        let before = kept.clone();
        change(&mut kept.revision);
        let kept = self.update(&kept, Some(&holder), now).await?;
        let held = Held { records: *self, holder, kept: RefCell::new(kept) };
        let (release, number) = (held.release(), held.number());
        let known = self.history(&release).await?;
        let Some(later) = known.last().filter(|last| last.entry.number > number) else { return Ok(held) };
        let version = held.kept.borrow().version.clone();
        self.update(&Kept { version, ..before }, None, now).await?;
        Err(self.taken(&release, later.entry.number).await?)
    }
}

impl Held<'_> {
    /// The revision as it was last written.
    pub fn revision(&self) -> Revision {
        self.kept.borrow().revision.clone()
    }

    fn release(&self) -> Release {
        let kept = self.kept.borrow();
        Release { name: kept.revision.name.clone(), namespace: kept.revision.namespace.clone() }
    }

    fn number(&self) -> u64 {
        self.kept.borrow().revision.number
    }

    /// Renews the heartbeat every 10 s, for as long as it is waited for; ends only when the lock is lost.
    ///
    /// What the cluster does not answer is no loss: the next renewal may succeed, and [`Held::check`] decides.
    pub async fn keep_alive(&self, clock: &dyn Fn() -> SystemTime) -> RecordsError {
        loop {
            sleep(BEAT).await;
            let version = self.kept.borrow().version.clone();
            let renewed = self.records.renew(&self.release(), self.number(), &version, &self.holder, clock()).await;
            match renewed {
                Ok(Some(version)) => self.kept.borrow_mut().version = version,
                Ok(None) => {
                    if let Err(error @ RecordsError::Lost { .. }) = self.check().await {
                        return error;
                    }
                }
                Err(_) => {}
            }
        }
    }

    /// Reads the record back: whether this run still holds the lock.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Lost`], and what every request can fail with.
    pub async fn check(&self) -> Result<(), RecordsError> {
        let release = self.release();
        match self.records.look(&release, self.number()).await? {
            Some(Known { holder: Some(holder), entry, version, .. })
                if holder == self.holder.to_string() && entry.status.is_unfinished() =>
            {
                self.kept.borrow_mut().version = version;
                Ok(())
            }
            other => Err(RecordsError::Lost { release, holder: other.and_then(|known| known.holder) }),
        }
    }

    /// Writes the revision again, as `change` makes it: the route found, each route written.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Lost`]; and as [`Records::create`].
    pub async fn rewrite(&self, change: impl FnOnce(&mut Revision), now: SystemTime) -> Result<(), RecordsError> {
        let mut kept = self.kept.borrow().clone();
        change(&mut kept.revision);
        let holder = kept.revision.info.status.is_unfinished().then_some(&self.holder);
        loop {
            match self.records.update(&kept, holder, now).await {
                Ok(stored) => {
                    *self.kept.borrow_mut() = stored;
                    return Ok(());
                }
                // A heartbeat may have come between.
                Err(RecordsError::Outrun { .. }) => {
                    self.check().await?;
                    kept.version = self.kept.borrow().version.clone();
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Ends the revision, which opens the lock. A deployed or uninstalled one supersedes those that were deployed before;
    /// then the oldest go, so that `max` remain (0: all).
    ///
    /// # Errors
    ///
    /// As [`Held::rewrite`]; what comes after the end of the revision is given back as what the user should hear of, since
    /// the revision itself is whole.
    pub async fn finish(
        self,
        change: impl FnOnce(&mut Revision),
        max: usize,
        now: SystemTime,
    ) -> Result<Vec<RecordsError>, RecordsError> {
        self.rewrite(change, now).await?;
        let (release, number) = (self.release(), self.number());
        let supersedes = matches!(self.kept.borrow().revision.info.status, Status::Deployed | Status::Uninstalled);
        let mut known = match self.records.history(&release).await {
            Ok(known) => known,
            Err(error) => return Ok(vec![error]),
        };
        let mut troubles = Vec::new();
        for old in known.iter_mut().filter(|_| supersedes) {
            if old.entry.number < number && old.entry.status == Status::Deployed {
                match self.supersede(old, now).await {
                    Ok(()) => old.entry.status = Status::Superseded,
                    Err(error) => troubles.push(error),
                }
            }
        }
        let entries: Vec<Entry> =
            known.iter().map(|known| known.entry).filter(|entry| entry.number != number).collect();
        for old in pruned(&entries, max) {
            troubles.extend(self.records.delete(&release, old).await.err());
        }
        Ok(troubles)
    }

    /// Deletes every record of the release up to this one, and this one last: while it is there, it locks the release.
    ///
    /// # Errors
    ///
    /// What every request can fail with.
    pub async fn forget(self) -> Result<(), RecordsError> {
        let (release, number) = (self.release(), self.number());
        for known in self.records.history(&release).await? {
            if known.entry.number < number {
                self.records.delete(&release, known.entry.number).await?;
            }
        }
        self.records.delete(&release, number).await
    }

    async fn supersede(&self, old: &Known, now: SystemTime) -> Result<(), RecordsError> {
        let Some(mut kept) = self.records.read(&old.release, old.entry.number).await? else { return Ok(()) };
        kept.revision.info.status = Status::Superseded;
        self.records.update(&kept, None, now).await.map(drop)
    }
}
