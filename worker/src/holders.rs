//! The processes of one container that protect its task share a directory. A task has one protection in ECS, so each process
//! asks for the latest end of all, and only the last clears it.
//!
//! The directory holds one file a process: `job-…` with the end of its job, in milliseconds since the machine started. A
//! process keeps its file locked while it lives, so that the file of one that died is recognized by its lock. The lock of
//! the directory's own file is held during a call to the agent: calls have an order, and no clearing overtakes a request.

use crate::clock;
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a lock is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// The file whose lock orders the calls.
const LOCK_FILE: &str = "lock";
const JOB_FILE_PREFIX: &str = "job-";

/// The place of this process among those of the container.
#[derive(Debug)]
pub(crate) struct Holder {
    dir: PathBuf,
    path: PathBuf,
    file: File,
}

/// Holds the lock of the directory until it is dropped.
#[derive(Debug)]
pub(crate) struct DirLock {
    _file: File,
}

/// What the other processes of the container do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Others {
    pub(crate) live: usize,
    /// The latest end of their jobs.
    pub(crate) latest_end: Duration,
    /// Files of processes that died, which are removed.
    pub(crate) dead: usize,
}

/// Where the directory is, unless an option says so: in memory if possible, because a container may have nothing else to
/// write to. The task's id keeps tasks apart that share the host's directory.
pub(crate) fn default_dir(task_id: &str) -> PathBuf {
    let name = format!("taskhold-{task_id}");
    let memory = Path::new("/dev/shm");
    if rustix::fs::access(memory, rustix::fs::Access::WRITE_OK).is_ok() {
        return memory.join(name);
    }
    std::env::temp_dir().join(name)
}

impl Holder {
    /// Enters the directory, which is made if needed, with a job that ends then.
    ///
    /// # Errors
    /// The directory cannot be made or written to.
    pub(crate) fn enter(dir: &Path, name: &str, end: Duration) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        open(&dir.join(LOCK_FILE))?;
        // It gets the name by which others find it once it is locked, so that none takes it for that of a dead process.
        let unlocked = dir.join(format!("new-{name}"));
        let path = dir.join(format!("{JOB_FILE_PREFIX}{name}"));
        let mut holder = Self { dir: dir.to_owned(), path, file: open(&unlocked)? };
        flock(&holder.file, FlockOperation::NonBlockingLockExclusive)?;
        holder.set_end(end)?;
        std::fs::rename(&unlocked, &holder.path)?;
        Ok(holder)
    }

    /// Changes the end of this process's job.
    pub(crate) fn set_end(&mut self, end: Duration) -> io::Result<()> {
        self.file.rewind()?;
        self.file.set_len(0)?;
        write!(self.file, "{}", end.as_millis())
    }

    /// Waits for the lock of the directory. `None`: another process held it for all of this time.
    ///
    /// # Errors
    /// The lock's file cannot be opened.
    pub(crate) async fn lock(&self, within: Duration) -> io::Result<Option<DirLock>> {
        let (file, until) = (open(&self.dir.join(LOCK_FILE))?, clock::uptime() + within);
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Some(DirLock { _file: file })),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) if clock::uptime() < until => {
                    clock::sleep(TRY_AGAIN).await;
                }
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Counts the other processes, and removes the files of those that died. Only with the directory locked.
    pub(crate) fn others(&self, _locked: &DirLock) -> io::Result<Others> {
        let mut others = Others::default();
        for entry in std::fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let is_job =
                path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(JOB_FILE_PREFIX));
            if !is_job || path == self.path {
                continue;
            }
            let Ok(mut file) = OpenOptions::new().read(true).write(true).open(&path) else {
                others.live += 1; // of another user, who may be at work
                continue;
            };
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                std::fs::remove_file(&path)?;
                others.dead += 1;
                continue;
            }
            others.live += 1;
            others.latest_end = others.latest_end.max(end_of(&mut file));
        }
        Ok(others)
    }

    /// Leaves: this process counts no longer.
    pub(crate) fn leave(&self, _locked: &DirLock) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // The file's lock ends with the process in any case.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// The end of a job. A file that cannot be read belongs to a live process all the same.
fn end_of(file: &mut File) -> Duration {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    read.ok().and_then(|_| text.trim().parse().ok()).map_or(Duration::ZERO, Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A runtime for the wait for a lock, which these tests need not make.
    fn lock(holder: &Holder) -> Option<DirLock> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(holder.lock(Duration::from_millis(50))).unwrap()
    }

    #[test]
    fn a_process_sees_the_latest_end_of_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let enter = |name, seconds| Holder::enter(dir.path(), name, Duration::from_secs(seconds)).unwrap();
        let (one, two, three) = (enter("1", 100), enter("2", 300), enter("3", 200));
        let locked = lock(&one).unwrap();
        let others = Others { live: 2, latest_end: Duration::from_secs(300), dead: 0 };
        assert_eq!(one.others(&locked).unwrap(), others);
        two.leave(&locked).unwrap();
        assert_eq!(one.others(&locked).unwrap().latest_end, Duration::from_secs(200));
        three.leave(&locked).unwrap();
        assert_eq!(one.others(&locked).unwrap(), Others::default());
    }

    #[test]
    fn a_process_that_died_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let one = Holder::enter(dir.path(), "1", Duration::from_secs(100)).unwrap();
        drop(Holder::enter(dir.path(), "2", Duration::from_secs(300)).unwrap()); // its file stays
        let locked = lock(&one).unwrap();
        assert_eq!(one.others(&locked).unwrap(), Others { dead: 1, ..Others::default() });
        assert_eq!(one.others(&locked).unwrap(), Others::default(), "its file is removed");
    }

    #[test]
    fn only_one_process_holds_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let one = Holder::enter(dir.path(), "1", Duration::ZERO).unwrap();
        let other = Holder::enter(dir.path(), "2", Duration::ZERO).unwrap();
        let held = lock(&one).unwrap();
        assert!(lock(&other).is_none());
        drop(held);
        assert!(lock(&other).is_some());
    }

    #[test]
    fn a_damaged_file_belongs_to_a_live_process() {
        let dir = tempfile::tempdir().unwrap();
        let one = Holder::enter(dir.path(), "1", Duration::ZERO).unwrap();
        let mut damaged = open(&dir.path().join("job-2")).unwrap();
        damaged.write_all(b"soon").unwrap();
        flock(&damaged, FlockOperation::LockExclusive).unwrap();
        let locked = lock(&one).unwrap();
        assert_eq!(one.others(&locked).unwrap(), Others { live: 1, ..Others::default() });
    }
}
