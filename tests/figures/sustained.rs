//! How many jobs a minute one task can run indefinitely: the figure in docs/operating.md, run for longer than the retention of
//! finished jobs.

use super::{FiguresFunction, record};
use crate::files::prose;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use taskhold::ecs::arn::Task;
use taskhold::store::RECORD_BYTES_MAX;
use taskhold::task::job::JobKey;
use taskhold::task::record::TaskRecord;

/// The messages of this time come together.
const STEP: SignedDuration = SignedDuration::from_mins(10);

/// One task that runs one job after another.
struct BusyTask {
    figures: FiguresFunction,
    task: Task,
    jobs_a_step: usize,
    /// When the jobs of each step started.
    steps: Vec<Timestamp>,
    largest_bytes: usize,
}

impl BusyTask {
    fn new(retention_hours: i64, jobs_a_step: usize) -> Self {
        let mut figures = FiguresFunction::of(vec![30]);
        let tasks = &mut figures.handler.services.tasks;
        tasks.config.finished_job_retention = SignedDuration::from_hours(retention_hours);
        let task = tasks.config.clusters.task_in("video", &format!("{:032x}", 0)).unwrap();
        Self { figures, task, jobs_a_step, steps: Vec::new(), largest_bytes: 0 }
    }

    /// An id as long as a UUID.
    fn job_id(&self, number: usize) -> String {
        format!("{number:036}")
    }

    fn job(&self, message_type: &str, number: usize) -> Value {
        let mut message = self.figures.message(message_type, 0);
        message["jobId"] = json!(self.job_id(number));
        message["maxDurationMinutes"] = json!(30);
        message
    }

    /// The messages of a step: the job finishes that still ran, and the others start and finish, except for the last.
    fn messages(&self, step: usize) -> Vec<Value> {
        let (first, last) = (step * self.jobs_a_step, (step + 1) * self.jobs_a_step - 1);
        let between =
            (first..last).flat_map(|number| ["job.started", "job.finished"].map(|kind| self.job(kind, number)));
        let running = (step > 0).then(|| self.job("job.finished", first - 1));
        running.into_iter().chain(between).chain([self.job("job.started", last)]).collect()
    }

    fn is_protected(&self) -> bool {
        !self.figures.ecs.state.lock().unwrap().protected_until.is_empty()
    }

    async fn record(&self) -> TaskRecord {
        self.figures.handler.services.tasks.store.load(&self.task).await.unwrap().record
    }

    /// Delivers the messages of a step. Each is done at its first delivery.
    async fn step(&mut self) {
        let step = self.steps.len();
        self.steps.push(self.figures.now());
        self.figures.deliver(&self.messages(step), 1000).await;
        assert!(self.is_protected(), "step {step}: a start was lost");
        if step.is_multiple_of(20) {
            let record = self.record().await;
            assert!(
                record.live_jobs(self.figures.now()).count() == 1 && record.rejected.is_none(),
                "a finish was lost"
            );
            let bytes = serde_json::to_string(&record).unwrap().len();
            assert!(bytes <= RECORD_BYTES_MAX, "step {step}: {bytes} bytes");
            self.largest_bytes = self.largest_bytes.max(bytes);
        }
        self.figures.clock.advance(STEP);
    }

    /// Finishes the job that still runs.
    async fn end(&self) {
        self.figures.deliver(&[self.job("job.finished", self.steps.len() * self.jobs_a_step - 1)], 1).await;
        assert!(!self.is_protected(), "a finish was lost");
    }

    /// The finished jobs that SQS may still redeliver and that the record has forgotten.
    async fn forgotten_early(&self) -> usize {
        let (record, retention) =
            (self.record().await, self.figures.handler.services.tasks.config.finished_job_retention);
        let begun = self.steps.partition_point(|started| self.figures.now().duration_since(*started) >= retention);
        let keys = (begun * self.jobs_a_step..self.steps.len() * self.jobs_a_step)
            .map(|number| JobKey { job_id: self.job_id(number), attempt: 1 });
        keys.filter(|key| !record.knows(key)).count()
    }
}

#[tokio::test]
async fn one_task_runs_the_documented_number_of_jobs_a_minute_for_longer_than_the_retention() {
    for (hours, tenths) in [(120, 38), (24, 186)] {
        let mut task = BusyTask::new(hours, tenths);
        let steps = usize::try_from(hours * 6 * 22 / 10).unwrap();
        for _ in 0..steps {
            task.step().await;
            if task.steps.len().is_multiple_of(200) || task.steps.len() == steps {
                assert_eq!(task.forgotten_early().await, 0, "after {} steps", task.steps.len());
            }
        }
        task.end().await;
        let (whole, tenth, jobs) = (tenths / 10, tenths % 10, steps * tenths);
        println!(
            "retention {hours} h: {whole}.{tenth} jobs a minute for {} h, {jobs} jobs, a record of at most {} bytes",
            steps / 6,
            task.largest_bytes
        );
        let page = prose("docs/operating.md");
        let rates = [
            format!("{hours} hours, one task can run {whole}.{tenth} jobs a minute indefinitely, one after another"),
            format!("with {hours} hours {whole}.{tenth}."),
        ];
        assert!(rates.iter().any(|rate| page.contains(rate)), "docs/operating.md does not say {}", rates[1]);
    }
}

#[tokio::test]
async fn at_twice_that_rate_no_job_is_refused_and_a_start_that_sqs_delivers_very_late_protects_the_task() {
    let mut task = BusyTask::new(24, 372);
    let mut forgotten_after = None;
    for step in 1..=24 * 6 {
        task.step().await;
        if step % 6 == 0 && forgotten_after.is_none() && task.forgotten_early().await > 0 {
            forgotten_after = Some(step / 6);
        }
    }
    task.end().await;
    println!("37.2 jobs a minute: the first finished job is forgotten after {} h", forgotten_after.unwrap());
    assert!(task.forgotten_early().await > 0 && task.largest_bytes <= RECORD_BYTES_MAX);
    let mut late = task.job("job.started", task.jobs_a_step);
    late["maxDurationMinutes"] = json!(2880);
    let batch = json!({"Records": [record(&late, task.steps[1])]});
    let deadline = task.figures.now() + SignedDuration::from_secs(30);
    task.figures.handler.handle(&batch.to_string(), deadline).await.unwrap();
    assert!(task.is_protected(), "the record has forgotten that the job has finished");
}
