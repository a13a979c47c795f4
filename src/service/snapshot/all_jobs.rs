//! Reads the jobs of those tasks of a snapshot that need no protection for a diagnosis.

use crate::ecs::arn::Task;
use crate::service::snapshot::managed::is_managed;
use crate::service::snapshot::read::jobs;
use crate::service::snapshot::{Gap, Jobs, ServiceSnapshot};
use crate::store::{RECORDS_AT_ONCE, Store};
use crate::task::record::TaskRecord;
use futures_util::{StreamExt, stream};

/// Reads the jobs of all tasks that [`read_service`](super::read::read_service) left unread: one read of the state store
/// for each. A read that failed becomes a gap in the snapshot.
pub async fn read_all_jobs(store: &dyn Store<TaskRecord>, snapshot: &mut ServiceSnapshot) {
    let unread = snapshot.tasks.iter().enumerate().filter(|(_, task)| task.jobs == Jobs::Unread);
    let unread: Vec<(usize, Task)> = unread.map(|(at, task)| (at, snapshot.service.arn.task(&task.id))).collect();
    let reads = unread.into_iter().map(|(at, task)| async move { (at, store.load(&task).await) });
    let read: Vec<_> = stream::iter(reads).buffer_unordered(RECORDS_AT_ONCE).collect().await;
    let managed = is_managed(&snapshot.service);
    for (at, record) in read {
        match record {
            Ok(versioned) => {
                snapshot.tasks[at].jobs = jobs(&versioned.record, snapshot.at, managed, &snapshot.durations);
            }
            Err(error) => snapshot.gaps.push(Gap::Jobs(error)),
        }
    }
}
