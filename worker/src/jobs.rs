//! The jobs of a task that are at work, for a server. Nothing here waits or calls.
//!
//! Moments are times since the machine started ([`crate::clock::uptime`]).

use crate::job::DeclaredJob;
use crate::watch::{Known, TOLERANCE};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

/// More jobs than this at the same time are a mistake of the worker, and each costs memory and messages.
pub(crate) const JOBS_MAX: usize = 1000;

/// How many ended jobs are remembered, so that a retry of one gets the next attempt.
const ENDED_MAX: usize = 4096;

/// A job at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActiveJob {
    pub(crate) declared: DeclaredJob,
    /// Its declared end.
    pub(crate) end: Duration,
    /// When it is expected to end.
    pub(crate) expected_end: Option<Duration>,
    /// What the function was last sent about its protection, and when.
    pub(crate) reported: ReportedProtection,
    pub(crate) reported_at: Duration,
}

/// What a message said about the protection of its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReportedProtection {
    Until(Duration),
    Refused(String),
    Nothing,
}

impl ReportedProtection {
    /// What a message says that has this state of the protection.
    pub(crate) fn of(known: &Known) -> Self {
        match known {
            Known::Granted(expiry) => Self::Until(expiry.moment),
            Known::Refused(refusal) => Self::Refused(refusal.reason.clone()),
            Known::Nothing | Known::Unanswered(_) | Known::Lost => Self::Nothing,
        }
    }

    /// Whether the function must learn of the change, for a job that ends then. A protection that already covered the job
    /// may end later still: that is no news.
    fn is_news(&self, now: &Self, job_end: Duration) -> bool {
        match (self, now) {
            (Self::Until(before), Self::Until(after)) => *before + TOLERANCE < job_end && *after > *before + TOLERANCE,
            _ => self != now,
        }
    }
}

/// All jobs at work, and the attempts of those that ended.
#[derive(Debug, Default)]
pub(crate) struct JobTable {
    active: BTreeMap<String, ActiveJob>,
    ended: EndedAttempts,
}

impl JobTable {
    pub(crate) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.active.len()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&ActiveJob> {
        self.active.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &ActiveJob> {
        self.active.values()
    }

    /// The latest declared end.
    pub(crate) fn latest_end(&self) -> Option<Duration> {
        self.active.values().map(|job| job.end).max()
    }

    /// The declared end that comes first.
    pub(crate) fn first_end(&self) -> Option<Duration> {
        self.active.values().map(|job| job.end).min()
    }

    /// The attempt of a job that says none itself.
    pub(crate) fn next_attempt(&self, id: &str) -> u32 {
        self.ended.last_of(id).map_or(1, |attempt| attempt.saturating_add(1))
    }

    /// Adds a job, which starts now.
    pub(crate) fn add(&mut self, declared: DeclaredJob, now: Duration) -> &ActiveJob {
        let job = ActiveJob {
            end: now + declared.max,
            expected_end: declared.expected.map(|expected| now + expected),
            reported: ReportedProtection::Nothing,
            reported_at: now,
            declared,
        };
        self.active.entry(job.declared.id.clone()).insert_entry(job).into_mut()
    }

    /// A job says again that it is at work: its declared end may come later, and never comes earlier. What it does not say
    /// stays.
    pub(crate) fn renew(&mut self, declared: DeclaredJob, now: Duration) {
        if let Some(job) = self.active.get_mut(&declared.id) {
            job.end = job.end.max(now + declared.max);
            job.expected_end = declared.expected.map(|expected| now + expected).or(job.expected_end);
            job.declared.max = declared.max;
            job.declared.expected = declared.expected.or(job.declared.expected);
            if declared.kind.is_some() {
                job.declared.kind = declared.kind;
            }
            if !declared.labels.is_empty() {
                job.declared.labels = declared.labels;
            }
        }
    }

    /// Removes a job that its worker ended. A retry gets the next attempt.
    pub(crate) fn end(&mut self, id: &str) -> Option<ActiveJob> {
        let job = self.active.remove(id)?;
        self.ended.note(id, job.declared.attempt);
        Some(job)
    }

    /// Removes the jobs whose declared end has passed. The function takes them as over by itself, and a later message of
    /// the same attempt revives them.
    pub(crate) fn take_overdue(&mut self, now: Duration) -> Vec<ActiveJob> {
        self.active.extract_if(.., |_, job| job.end <= now).map(|(_, job)| job).collect()
    }

    /// The jobs of which the function must hear: what protects them has changed, or they were not mentioned for this long.
    pub(crate) fn take_news(
        &mut self,
        state: impl Fn(&ActiveJob) -> Known,
        interval: Duration,
        now: Duration,
    ) -> Vec<ActiveJob> {
        let mut news = Vec::new();
        for job in self.active.values_mut() {
            let current = ReportedProtection::of(&state(job));
            if job.reported.is_news(&current, job.end) || job.reported_at + interval <= now {
                (job.reported, job.reported_at) = (current, now);
                news.push(job.clone());
            }
        }
        news
    }

    /// When the next job must be mentioned again.
    pub(crate) fn next_mention(&self, interval: Duration) -> Option<Duration> {
        self.active.values().map(|job| job.reported_at + interval).min()
    }

    /// The function was sent this about a job.
    pub(crate) fn reported(&mut self, id: &str, known: &Known, now: Duration) {
        if let Some(job) = self.active.get_mut(id) {
            (job.reported, job.reported_at) = (ReportedProtection::of(known), now);
        }
    }
}

/// The last attempts of jobs that ended, of the latest jobs only.
#[derive(Debug, Default)]
struct EndedAttempts {
    attempts: HashMap<String, u32>,
    order: VecDeque<String>,
}

impl EndedAttempts {
    fn last_of(&self, id: &str) -> Option<u32> {
        self.attempts.get(id).copied()
    }

    fn note(&mut self, id: &str, attempt: u32) {
        if self.attempts.insert(id.to_owned(), attempt).is_none() {
            self.order.push_back(id.to_owned());
        }
        if self.order.len() > ENDED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.attempts.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1000);

    fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }

    fn job(id: &str, max: u64) -> DeclaredJob {
        DeclaredJob {
            id: id.to_owned(),
            attempt: 1,
            max: minutes(max),
            expected: None,
            kind: None,
            labels: BTreeMap::new(),
        }
    }

    #[test]
    fn a_job_that_is_mentioned_again_ends_later_and_never_earlier() {
        let mut jobs = JobTable::default();
        jobs.add(job("a", 60), NOW);
        jobs.renew(job("a", 10), NOW + minutes(1));
        assert_eq!(jobs.latest_end(), Some(NOW + minutes(60)));
        jobs.renew(job("a", 60), NOW + minutes(5));
        assert_eq!((jobs.latest_end(), jobs.len()), (Some(NOW + minutes(65)), 1));
    }

    #[test]
    fn a_job_that_is_mentioned_again_keeps_what_the_mention_does_not_say() {
        let mut jobs = JobTable::default();
        let labels = BTreeMap::from([("title".to_owned(), "E".to_owned())]);
        jobs.add(DeclaredJob { kind: Some("encode".to_owned()), labels: labels.clone(), ..job("a", 60) }, NOW);
        jobs.renew(job("a", 60), NOW);
        let declared = &jobs.get("a").unwrap().declared;
        assert_eq!((declared.kind.as_deref(), &declared.labels), (Some("encode"), &labels));
        jobs.renew(DeclaredJob { kind: Some("mux".to_owned()), ..job("a", 60) }, NOW);
        assert_eq!(jobs.get("a").unwrap().declared.kind.as_deref(), Some("mux"));
    }

    #[test]
    fn a_job_that_ended_and_comes_again_has_the_next_attempt() {
        let mut jobs = JobTable::default();
        assert_eq!(jobs.next_attempt("a"), 1);
        jobs.add(DeclaredJob { attempt: 3, ..job("a", 60) }, NOW);
        assert!(jobs.end("a").is_some() && jobs.end("a").is_none());
        assert_eq!(jobs.next_attempt("a"), 4);
    }

    #[test]
    fn an_overdue_job_is_removed_and_keeps_its_attempt() {
        let mut jobs = JobTable::default();
        jobs.add(job("a", 1), NOW);
        jobs.add(job("b", 2), NOW);
        assert_eq!(jobs.first_end(), Some(NOW + minutes(1)));
        let overdue: Vec<String> = jobs.take_overdue(NOW + minutes(1)).into_iter().map(|job| job.declared.id).collect();
        assert_eq!((overdue, jobs.len(), jobs.next_attempt("a")), (vec!["a".to_owned()], 1, 1));
    }

    #[test]
    fn only_so_many_ended_jobs_are_remembered() {
        let mut ended = EndedAttempts::default();
        for number in 0..=ENDED_MAX {
            ended.note(&number.to_string(), 1);
            ended.note(&number.to_string(), 2);
        }
        assert_eq!((ended.attempts.len(), ended.order.len()), (ENDED_MAX, ENDED_MAX));
        assert_eq!((ended.last_of("0"), ended.last_of("1")), (None, Some(2)));
    }

    #[test]
    fn a_protection_that_covers_the_job_and_ends_later_is_no_news() {
        let until = |minute| ReportedProtection::Until(minutes(minute));
        assert!(!until(60).is_news(&until(90), minutes(60)));
        assert!(until(60).is_news(&until(90), minutes(80)));
        assert!(!until(60).is_news(&until(60), minutes(80)));
        assert!(until(60).is_news(&ReportedProtection::Nothing, minutes(60)));
        assert!(ReportedProtection::Refused("A".to_owned()).is_news(&until(60), minutes(60)));
    }
}
