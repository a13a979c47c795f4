//! The state store of the model, as the function sees it.

use super::configuration::RecordSpace;
use super::scene::{TaskNo, number_of, task, timestamp};
use super::script::{ModelAnswer, ModelRequest, SharedScript, Subject};
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use std::sync::LazyLock;
use taskhold::ecs::arn::Task;
use taskhold::page::Page;
use taskhold::store::error::StoreError;
use taskhold::store::{Store, StorePages, Stored, Version, Versioned};
use taskhold::task::interruption::{StopStage, TrackedInterruption};
use taskhold::task::record::TaskRecord;

/// The records of tasks on a script.
#[derive(Debug)]
pub(crate) struct ScriptedStore {
    pub(crate) script: SharedScript,
    pub(crate) records: RecordSpace,
}

/// JSON of interruptions that leave room for one live job of the model and for fingerprints of finished ones: a live job
/// takes 648 bytes, with the reserves for its finish and its interruption.
const LARGE_INTERRUPTIONS_BYTES: usize = 339_000;

/// An interruption that takes most of the room of a record.
static LARGE: LazyLock<TrackedInterruption> = LazyLock::new(|| {
    let interruption = |stopped_reason: String| {
        let (stage, at) = (StopStage::Stopping, timestamp(0));
        let mut what = json!({"stage": stage, "at": at.to_string(), "jobs": []});
        what["stopped_reason"] = json!(stopped_reason);
        serde_json::from_value::<TrackedInterruption>(json!({"what": what})).expect("an interruption")
    };
    let json = serde_json::to_string(&[interruption(String::new())]).expect("it can be written");
    // A character that takes six bytes of JSON: each step of a run copies and compares the text.
    interruption("\u{1}".repeat((LARGE_INTERRUPTIONS_BYTES - json.len()) / 6))
});

impl ScriptedStore {
    /// The record as the function receives it. The model keeps the small part of it alone.
    fn filled(&self, mut record: TaskRecord, version: Version) -> Versioned<TaskRecord> {
        if self.records == RecordSpace::OneLiveJob {
            record.interruptions.push(LARGE.clone());
        }
        Versioned { record, version }
    }

    /// The small part of a record that the function stores.
    fn emptied(&self, mut record: TaskRecord) -> TaskRecord {
        if self.records == RecordSpace::OneLiveJob {
            assert!(record.interruptions.pop().is_some_and(|large| large == *LARGE), "no interruption was reported");
        }
        record
    }
}

fn failed() -> StoreError {
    StoreError::Unexpected("connection reset".to_owned())
}

#[async_trait]
impl Store<TaskRecord> for ScriptedStore {
    async fn load(&self, task: &Task) -> Result<Versioned<TaskRecord>, StoreError> {
        let number = number_of(&task.id);
        match self.script.ask(Subject::Task(number), ModelRequest::Load(number)).await {
            ModelAnswer::Loaded(Some(record)) => Ok(self.filled(record, self.script.give_version(number))),
            ModelAnswer::Loaded(None) => Ok(self.filled(TaskRecord::default(), self.script.give_no_version(number))),
            ModelAnswer::StoreFails => Err(failed()),
            other => unreachable!("a load is answered {other:?}"),
        }
    }

    async fn put(&self, task: &Task, versioned: &Versioned<TaskRecord>, _: Timestamp) -> Result<Stored, StoreError> {
        let number = number_of(&task.id);
        self.script.check_version(number, versioned.version);
        let request = ModelRequest::Store(number, self.emptied(versioned.record.clone()));
        match self.script.ask(Subject::Task(number), request).await {
            ModelAnswer::Stored => Ok(Stored::As(self.script.give_version(number))),
            ModelAnswer::Conflict => Ok(Stored::Conflict),
            ModelAnswer::StoreFails => Err(failed()),
            other => unreachable!("a store is answered {other:?}"),
        }
    }
}

#[async_trait]
impl StorePages<TaskRecord> for ScriptedStore {
    async fn page(&self, _: Option<&str>) -> Result<Page<(Task, Versioned<TaskRecord>)>, StoreError> {
        match self.script.ask(Subject::Page, ModelRequest::Page).await {
            ModelAnswer::Page(records) => {
                let item = |(number, record): (TaskNo, TaskRecord)| {
                    (task(number).clone(), self.filled(record, self.script.give_version(number)))
                };
                Ok(Page { items: records.into_iter().map(item).collect(), next_token: None })
            }
            ModelAnswer::StoreFails => Err(failed()),
            other => unreachable!("a page is answered {other:?}"),
        }
    }
}
