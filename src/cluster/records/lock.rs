//! The lock of a release: a pending record, and the sign of life that its holder gives.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use kube::api::{ObjectMeta, Patch, PatchParams};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout_at};

use super::super::call::is_outrun;
use super::super::{FIELD_MANAGER, News};
use super::{Kept, Known, Records, RecordsError, version_of};
use crate::plan::Release;
use crate::record::{Status, Time, object_name};

/// The annotation of who holds the lock.
const HOLDER: &str = "r8/holder";
/// The annotation that the holder renews.
const HEARTBEAT: &str = "r8/heartbeat";
/// How often the holder renews it.
pub(super) const BEAT: Duration = Duration::from_secs(10);
/// How long a record stays as it is until its holder is taken for dead.
const STALE: Duration = Duration::from_secs(60);
/// How often a waiter looks.
const LOOK: Duration = Duration::from_secs(2);

/// Who holds a lock: a text for people that no other run has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder(String);

impl Holder {
    /// Names a run: who started it, as in `ann@laptop`, its process, and when it began.
    pub fn new(who: &str, process: u32, began: SystemTime) -> Holder {
        Holder(format!("{who} (process {process}, begun {})", Time::from(began)))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When the lock of another run is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// When its holder has given no sign of life for 60 s.
    WhenStale,
    /// At once: `--take-lock`.
    AtOnce,
}

/// What came of watching the holder of a lock.
#[derive(Debug, Clone, PartialEq)]
pub enum Watched {
    /// It has given a sign of life.
    Alive,
    /// It has given none for 60 s: the lock can be taken.
    Stale,
    /// It has ended its work: the history is another one now.
    Ended,
}

/// The annotations of a record that is held.
pub(super) fn annotations(holder: &Holder, now: SystemTime) -> BTreeMap<String, String> {
    BTreeMap::from([(HOLDER.to_owned(), holder.to_string()), (HEARTBEAT.to_owned(), Time::from(now).to_string())])
}

/// Who holds a record, if r8 does.
pub(super) fn holder(metadata: &ObjectMeta) -> Option<String> {
    metadata.annotations.as_ref()?.get(HOLDER).cloned()
}

/// How long a record has been as it is, as one who looks at it again and again sees it.
///
/// No clock but the waiter's own counts: those of two machines differ.
#[derive(Debug)]
struct Stillness {
    version: String,
    since: Instant,
}

impl Stillness {
    fn new(version: &str, now: Instant) -> Stillness {
        Stillness { version: version.to_owned(), since: now }
    }

    /// What a new look says.
    fn look(&self, version: &str, now: Instant) -> Option<Watched> {
        if version != self.version {
            Some(Watched::Alive)
        } else if now >= self.since + STALE {
            Some(Watched::Stale)
        } else {
            None
        }
    }
}

impl Records<'_> {
    /// What is known of all records of a release that nobody is at work on, the oldest first; a lock that may be taken is.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Locked`] while another run lives, or is not known to be dead at `until`; and as [`Records::read`].
    pub async fn unlocked(
        &self,
        release: &Release,
        take: Take,
        until: Instant,
        clock: &dyn Fn() -> SystemTime,
    ) -> Result<Vec<Known>, RecordsError> {
        let mut told = false;
        loop {
            let known = self.history(release).await?;
            let Some(locked) = known.last().filter(|last| last.is_locked()) else { return Ok(known) };
            let watched = match take {
                Take::AtOnce => Watched::Stale,
                Take::WhenStale => {
                    if let Some(holder) = locked.holder.as_deref().filter(|_| !std::mem::replace(&mut told, true)) {
                        (self.cluster.say)(News::Locked { number: locked.entry.number, holder });
                    }
                    match timeout_at(until, self.watch_holder(locked)).await {
                        Ok(watched) => watched?,
                        Err(_) => return Err(self.locked(locked).await?),
                    }
                }
            };
            match watched {
                Watched::Alive => return Err(self.locked(locked).await?),
                Watched::Ended => {}
                Watched::Stale => match self.take(locked, clock()).await {
                    // Whoever was first is looked at in the next round.
                    Ok(()) | Err(RecordsError::Outrun { .. }) => {}
                    Err(error) => return Err(error),
                },
            }
        }
    }

    /// Watches the holder of a locked record until it gives a sign of life, has ended, or is stale.
    ///
    /// A record that Helm holds gives no sign of life: it is never stale, and taken for alive.
    ///
    /// # Errors
    ///
    /// What every request can fail with.
    pub async fn watch_holder(&self, pending: &Known) -> Result<Watched, RecordsError> {
        if pending.holder.is_none() {
            return Ok(Watched::Alive);
        }
        let stillness = Stillness::new(&pending.version, Instant::now());
        loop {
            sleep(LOOK).await;
            let Some(now) = self.look(&pending.release, pending.entry.number).await? else { return Ok(Watched::Ended) };
            if !now.is_locked() {
                return Ok(Watched::Ended);
            }
            if let Some(watched) = stillness.look(&now.version, Instant::now()) {
                return Ok(watched);
            }
        }
    }

    /// What is known of a record now; none when it is not there.
    pub(super) async fn look(&self, release: &Release, number: u64) -> Result<Option<Known>, RecordsError> {
        let key = self.key(&release.namespace, &object_name(&release.name, number));
        let (api, doing) = (self.api(Some(&release.namespace)), format!("read {key}"));
        let found = self.cluster.call(&doing, || api.get_metadata_opt(&key.name)).await;
        let found = found.map_err(|error| self.failed(error, &doing))?;
        Ok(found.and_then(|object| Known::from_metadata(&object.metadata)))
    }

    /// Takes the lock of a pending record: marks it failed, if it still is as it was seen. Of two that try, one succeeds.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Outrun`] when its holder lives, or another has taken it; and as [`Records::read`].
    pub async fn take(&self, pending: &Known, now: SystemTime) -> Result<(), RecordsError> {
        let release = &pending.release;
        let outrun = || {
            let name = object_name(&release.name, pending.entry.number);
            RecordsError::Outrun { key: Box::new(self.key(&release.namespace, &name)) }
        };
        let Some(mut kept) = self.read(release, pending.entry.number).await? else { return Err(outrun()) };
        if kept.version != pending.version {
            return Err(outrun());
        }
        kept.revision.info.status = Status::Failed;
        kept.revision.info.description = match &pending.holder {
            Some(holder) => format!("Given up: {holder} gave no sign of life any more"),
            None => "Given up: whoever began it did not end it".to_owned(),
        };
        self.update(&kept, None, now).await.map(drop)
    }

    /// Why a release is locked by a pending record.
    ///
    /// # Errors
    ///
    /// As [`Records::read`].
    pub async fn locked(&self, pending: &Known) -> Result<RecordsError, RecordsError> {
        let since = self.read(&pending.release, pending.entry.number).await?;
        Ok(RecordsError::Locked {
            release: pending.release.clone(),
            number: pending.entry.number,
            status: pending.entry.status,
            since: since.and_then(|kept: Kept| kept.revision.info.last_deployed),
            holder: pending.holder.clone(),
        })
    }

    /// Why a revision could not be begun that somebody else has begun: who is at work, where that is still so.
    ///
    /// # Errors
    ///
    /// As [`Records::read`].
    pub async fn taken(&self, release: &Release, number: u64) -> Result<RecordsError, RecordsError> {
        let known = self.history(release).await?;
        if let Some(last) = known.last().filter(|last| last.is_locked()) {
            return self.locked(last).await;
        }
        let key = Box::new(self.key(&release.namespace, &object_name(&release.name, number)));
        Ok(RecordsError::Taken { key, number })
    }

    /// Renews the heartbeat of a record at this version; gives the new one, none when somebody has written it.
    pub(super) async fn renew(
        &self,
        release: &Release,
        number: u64,
        version: &str,
        holder: &Holder,
        now: SystemTime,
    ) -> Result<Option<String>, RecordsError> {
        let key = self.key(&release.namespace, &object_name(&release.name, number));
        let (api, doing) = (self.api(Some(&release.namespace)), format!("renew the lock {key}"));
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let metadata = json!({"resourceVersion": version, "annotations": annotations(holder, now)});
        let patch = Patch::Merge(json!({"metadata": metadata}));
        match self.cluster.call(&doing, || api.patch_metadata(&key.name, &params, &patch)).await {
            Ok(stored) => Ok(Some(version_of(&stored.metadata))),
            Err(error) if is_outrun(&error) => Ok(None),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(self.failed(error, &doing)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_stays_as_it_is_is_stale_after_a_minute() {
        let begin = Instant::now();
        let stillness = Stillness::new("1", begin);
        assert_eq!(stillness.look("1", begin + STALE - Duration::from_millis(1)), None);
        assert_eq!(stillness.look("1", begin + STALE), Some(Watched::Stale));
        assert_eq!(stillness.look("2", begin + STALE), Some(Watched::Alive));
    }

    #[test]
    fn a_holder_is_named_for_people() {
        let holder = Holder::new("ann@laptop", 7, SystemTime::UNIX_EPOCH);
        assert_eq!(holder.to_string(), "ann@laptop (process 7, begun 1970-01-01T00:00:00Z)");
    }
}
