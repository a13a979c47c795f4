//! Workers that are processes of their own.

use async_trait::async_trait;

/// A job that runs under `taskhold-run`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessJob {
    /// Its id.
    pub id: String,
    /// The id of its task.
    pub task: String,
    /// `--max-duration`, in minutes.
    pub minutes: u32,
    /// `--expected-duration`, in minutes.
    pub expected_minutes: Option<u32>,
}

/// Runs jobs in processes.
#[async_trait(?Send)]
pub trait WorkerProcesses {
    /// Starts the process of a job. It has protected its task and reported the job when this returns.
    ///
    /// # Errors
    /// It did not start, or not in time.
    async fn start(&mut self, job: &ProcessJob) -> Result<(), String>;

    /// Lets the job of this id end. Its process has reported that and cleared the protection when this returns.
    ///
    /// # Errors
    /// There is no such job, or its process failed.
    async fn finish(&mut self, job: &str) -> Result<(), String>;
}
