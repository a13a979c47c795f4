//! When a rollout can finish, and when it must have finished.

use crate::clock::after;
use crate::config::settings::{Config, Mode};
use crate::ecs::service::Service;
use crate::service::blocking_task::BlockingTask;
use crate::service::durations::LearnedEnd;
use crate::service::rollout::CLEAN_UP_MAX;
use crate::service::snapshot::JobSnapshot;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::sync::Arc;

/// How long CloudFormation waits for a rolling service update before it rolls back (aws-facts "ECS: deployments and
/// protection").
const CLOUDFORMATION_DEADLINE: SignedDuration = SignedDuration::from_hours(3);
/// The same for a deployment that shifts traffic.
const CLOUDFORMATION_DEADLINE_OF_SHIFTS: SignedDuration = SignedDuration::from_hours(36);
/// How long a deployment that shifts traffic may stay in one lifecycle stage.
const STAGE_DEADLINE: SignedDuration = SignedDuration::from_hours(24);
/// The tag of every service that CloudFormation created.
const CLOUDFORMATION_TAG: &str = "aws:cloudformation:stack-name";
/// The tag with which a service sets its own deadline, in minutes.
pub const DEADLINE_TAG: &str = "taskhold:deadline-minutes";
/// The longest deadline that the tag or the function's setting accepts: one week.
pub(crate) const DEADLINE_MINUTES_MAX: i64 = 10_080;

/// When enough blocking tasks can be gone for the rollout to continue. If the workers take new jobs
/// ([`Forecast::jobs_started`]), no end is known, and these are the earliest times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Assuming that every protection lasts until it expires.
    pub by_expiry: Timestamp,
    /// Assuming that each job ends when expected, and no later than its declared end, and that its task is released
    /// after the linger. Foreign protection, and protection of tasks whose jobs could not be read, counts until it expires.
    pub by_jobs: Timestamp,
    /// The basis of `by_jobs`.
    pub basis: ForecastBasis,
    /// The end of the jobs that have an expected end: the declared one, or the 90th percentile of finished jobs of the
    /// kind. It decides whether the deadline is at risk. `None` if no job has an expected end.
    pub by_risk: Option<Timestamp>,
    /// How many jobs the blocking tasks have started since the rollout began.
    pub jobs_started: usize,
}

impl Forecast {
    /// The end by which a deadline is judged, and no earlier than the expected end.
    pub(crate) fn risked_end(&self) -> Timestamp {
        self.by_risk.unwrap_or(self.by_jobs).max(self.by_jobs)
    }

    /// Whether no end is known, because the workers of blocking tasks take new jobs.
    pub(crate) fn is_open_ended(&self) -> bool {
        self.jobs_started > 0
    }
}

/// The basis of the expected end of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForecastBasis {
    /// The end that a worker expects.
    Declared,
    /// Finished jobs of the same kind.
    Learned,
    /// Only the maximum: the end that a worker declared, or the expiry of a protection that no live job explains.
    Maximum,
}

/// The policy by which a service is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiagnosisPolicy {
    /// The deadline of a deployment when neither CloudFormation nor the service's tag sets one.
    pub deadline: SignedDuration,
    /// How long a task keeps its protection after its last job.
    pub linger: SignedDuration,
    /// The name of the Lambda function, for the commands of suggested actions; `None` in a dry run, in which it
    /// releases nothing.
    pub function: Option<Arc<str>>,
}

impl DiagnosisPolicy {
    /// The policy that the settings give.
    pub fn of(config: &Config) -> Self {
        let function = (config.mode == Mode::Live).then(|| config.function_name.as_str().into());
        Self { deadline: config.deadline, linger: config.linger, function }
    }
}

/// When a rollout must have finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// The moment.
    pub at: Timestamp,
    /// The source of the deadline.
    pub source: DeadlineSource,
}

/// The source of a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeadlineSource {
    /// CloudFormation created the service, and rolls back after its limit for this kind of deployment.
    CloudFormation,
    /// ECS ends a lifecycle stage after its limit.
    LifecycleStage,
    /// ECS removes old tasks in the background for a limited time.
    CleanUp,
    /// The service's own tag.
    Tag,
    /// The function's setting.
    Setting,
}

impl Deadline {
    /// When ECS stops removing the old tasks of a deployment that succeeded.
    pub(crate) fn of_clean_up(succeeded_at: Timestamp) -> Self {
        Self { at: after(succeeded_at, CLEAN_UP_MAX), source: DeadlineSource::CleanUp }
    }

    /// The time between the expected finish and the deadline; negative if the deadline will be missed.
    pub fn margin(&self, forecast: &Forecast) -> SignedDuration {
        self.at.duration_since(forecast.by_jobs)
    }
}

pub(crate) fn forecast(
    blocking_tasks: &[BlockingTask],
    to_go: usize,
    now: Timestamp,
    linger: SignedDuration,
) -> Option<Forecast> {
    // The rollout continues once `to_go` blocking tasks have ended.
    let last = to_go.min(blocking_tasks.len()).checked_sub(1)?;
    let mut expiries: Vec<Timestamp> = blocking_tasks.iter().map(|task| task.protected_until).collect();
    let mut ends: Vec<ExpectedEnd> = blocking_tasks.iter().map(|task| release_of(task, now, linger)).collect();
    let mut risks: Vec<Option<Timestamp>> = ends.iter().map(|end| end.by_risk).collect();
    expiries.sort();
    ends.sort_by_key(|end| end.at);
    risks.sort();
    Some(Forecast {
        by_expiry: expiries[last].max(now),
        by_jobs: ends[last].at.max(now),
        basis: ends[last].basis,
        by_risk: risks[last].map(|risk| risk.max(now)),
        jobs_started: blocking_tasks.iter().map(|task| task.jobs_started).sum(),
    })
}

/// The expected end of a job, or of all jobs of a task.
#[derive(Clone, Copy)]
struct ExpectedEnd {
    at: Timestamp,
    /// As in [`Forecast::by_risk`].
    by_risk: Option<Timestamp>,
    basis: ForecastBasis,
}

impl ExpectedEnd {
    fn maximum(at: Timestamp) -> Self {
        Self { at, by_risk: None, basis: ForecastBasis::Maximum }
    }

    fn after(self, linger: SignedDuration) -> Self {
        Self { at: after(self.at, linger), by_risk: self.by_risk.map(|risk| after(risk, linger)), ..self }
    }

    fn at_most(self, latest: Timestamp) -> Self {
        Self { at: self.at.min(latest), by_risk: self.by_risk.map(|risk| risk.min(latest)), ..self }
    }
}

/// When the jobs of the task are expected to have ended.
pub(crate) fn expected_end(blocking_task: &BlockingTask, now: Timestamp) -> Timestamp {
    release_of(blocking_task, now, SignedDuration::ZERO).at
}

/// When the task is expected to be free.
fn release_of(blocking_task: &BlockingTask, now: Timestamp, linger: SignedDuration) -> ExpectedEnd {
    let without_jobs = ExpectedEnd::maximum(blocking_task.lingers_until.unwrap_or(blocking_task.protected_until));
    let ends: Vec<ExpectedEnd> = blocking_task.jobs().iter().map(|job| end_of_job(job, now)).collect();
    let by_risk = ends.iter().filter_map(|end| end.by_risk).max();
    let last = ends.into_iter().max_by_key(|end| end.at).map(|last| ExpectedEnd { by_risk, ..last });
    last.map_or(without_jobs, |last| last.after(linger)).at_most(blocking_task.protected_until)
}

/// The end that the worker expects, unless it has passed, else the learned one, else the maximum.
fn end_of_job(job: &JobSnapshot, now: Timestamp) -> ExpectedEnd {
    let declared = job.expected_until.filter(|at| *at > now);
    let declared = declared.map(|at| ExpectedEnd { at, by_risk: Some(at), basis: ForecastBasis::Declared });
    let learned = job.learned.end().map(|LearnedEnd { expected, unlikely_after }| ExpectedEnd {
        at: expected,
        by_risk: Some(unlikely_after),
        basis: ForecastBasis::Learned,
    });
    declared.or(learned).unwrap_or(ExpectedEnd::maximum(job.until)).at_most(job.until)
}

/// The jobs, the one with the latest expected end first.
pub(crate) fn longest_first(jobs: &[JobSnapshot]) -> Vec<&JobSnapshot> {
    let mut jobs: Vec<&JobSnapshot> = jobs.iter().collect();
    jobs.sort_by_key(|job| Reverse((job.expected_end(), job.until)));
    jobs
}

/// The deadline of a deployment. `blocked_since` is when its last stage began, as far as snapshots showed: ECS does not
/// report it.
pub(crate) fn deadline(
    service: &Service,
    started_at: Timestamp,
    blocked_since: Option<Timestamp>,
    policy: &DiagnosisPolicy,
) -> Deadline {
    let within = |duration: SignedDuration, source| Deadline { at: after(started_at, duration), source };
    if let Some(minutes) = service.tags.get(DEADLINE_TAG).and_then(|value| deadline_minutes(value)) {
        return within(SignedDuration::from_mins(minutes), DeadlineSource::Tag);
    }
    if !service.tags.contains_key(CLOUDFORMATION_TAG) {
        return within(policy.deadline, DeadlineSource::Setting);
    }
    if !service.strategy.shifts_traffic() {
        return within(CLOUDFORMATION_DEADLINE, DeadlineSource::CloudFormation);
    }
    let whole = within(CLOUDFORMATION_DEADLINE_OF_SHIFTS, DeadlineSource::CloudFormation);
    let stage = blocked_since.map(|since| after(since, STAGE_DEADLINE)).filter(|at| *at < whole.at);
    stage.map_or(whole, |at| Deadline { at, source: DeadlineSource::LifecycleStage })
}

/// The value of [`DEADLINE_TAG`], if it is a whole number from 1 to 10,080 (one week).
pub fn deadline_minutes(value: &str) -> Option<i64> {
    value.trim().parse().ok().filter(|minutes| (1..=DEADLINE_MINUTES_MAX).contains(minutes))
}
