//! Which call to the agent is due, and what its answer changes.

use super::{
    AgentAnswer, AgentPresence, Applicant, Duration, Expiry, FailedRequest, GRANT_MAX, Known, News, Now, OnItsWay,
    PAUSE_AFTER_REFUSAL, Progression, ProtectionWatch, Protector, ProtectorCall, RETRY_PAUSE, RETRY_PAUSE_MAX,
    TOLERANCE, Verdict, WatchStep, minutes_until,
};

impl Protector {
    /// The call that is due, which then is on its way until [`Self::answered`].
    pub(crate) fn due(&mut self, now: Duration) -> Option<ProtectorCall> {
        if self.settings.agent == AgentPresence::Absent || self.on_its_way != OnItsWay::Nothing {
            return None;
        }
        let has_applicants = self.applicants.iter().any(|applicant| applicant.progress == Progression::New);
        if has_applicants && self.request_from <= now {
            return Some(self.request(now));
        }
        if let Some((at, step)) = self.next_of_watch()
            && at <= now
        {
            return match step {
                WatchStep::Request => Some(self.request(now)),
                WatchStep::Check => {
                    self.on_its_way = OnItsWay::Check;
                    Some(ProtectorCall::Check)
                }
                WatchStep::NoteOverrun => None,
            };
        }
        if self.clear_at().is_some_and(|at| at <= now) {
            // It may take effect although no answer says so.
            self.standing = None;
            self.on_its_way = OnItsWay::Clear;
            return Some(ProtectorCall::Clear);
        }
        None
    }

    fn request(&mut self, now: Duration) -> ProtectorCall {
        let mut latest = self.jobs.latest_end().unwrap_or(Duration::ZERO);
        for applicant in &mut self.applicants {
            let end = now + applicant.application.job.max;
            latest = latest.max(end);
            applicant.progress = Progression::Asked(end);
        }
        self.watch.postpone(latest);
        let end = latest.min(now + GRANT_MAX);
        self.on_its_way = OnItsWay::Request { end };
        ProtectorCall::Request { minutes: minutes_until(end, now) }
    }

    /// When something is to do again. Answers and workers come in between.
    pub(crate) fn next(&self) -> Option<Duration> {
        let mention = self.jobs.next_mention(self.settings.heartbeat_interval);
        let mention = mention.filter(|_| *self.watch.known() != Known::Lost);
        let deadline = self.applicants.iter().map(|applicant| applicant.deadline).min();
        let mut moments = vec![self.jobs.first_end(), mention, deadline];
        if self.on_its_way == OnItsWay::Nothing && self.settings.agent == AgentPresence::Present {
            moments.push((!self.applicants.is_empty()).then_some(self.request_from));
            moments.push(self.next_of_watch().map(|(at, _)| at));
            moments.push(self.clear_at());
        }
        moments.into_iter().flatten().min()
    }

    fn next_of_watch(&self) -> Option<(Duration, WatchStep)> {
        let next = self.watch.next().filter(|(_, step)| *step != WatchStep::NoteOverrun);
        next.filter(|_| !self.jobs.is_empty())
    }

    fn clear_at(&self) -> Option<Duration> {
        let linger = if self.is_draining { Duration::ZERO } else { self.settings.linger };
        (self.is_idle() && self.may_be_protected).then(|| (self.idle_since + linger).max(self.clear_from))
    }

    /// Takes the answer to the call that was on its way. Returns whether it says something new about the protection.
    pub(crate) fn answered(&mut self, answer: &AgentAnswer, now: Now) -> News {
        match std::mem::replace(&mut self.on_its_way, OnItsWay::Nothing) {
            OnItsWay::Nothing => News::No,
            OnItsWay::Request { end } => self.requested(answer, end, now),
            OnItsWay::Check => {
                let news = self.watch.checked(answer.clone(), now);
                match (answer, self.watch.known()) {
                    (AgentAnswer::Unknown(_), _) => {}
                    (_, Known::Granted(expiry)) => self.standing = Some(*expiry),
                    _ => self.standing = None,
                }
                news
            }
            OnItsWay::Clear => self.cleared(answer, now),
        }
    }

    fn requested(&mut self, answer: &AgentAnswer, end: Duration, now: Now) -> News {
        self.may_be_protected |= !matches!(answer, AgentAnswer::Refused(_));
        self.pace(answer, now.moment);
        // ECS refused more, and what it granted before still covers every job: the watch over that goes on.
        let goes_on = matches!(answer, AgentAnswer::Refused(_)) && self.covers_jobs(now.moment);
        let news = if goes_on { News::Yes } else { self.watch.requested(answer.clone(), end, now) };
        match (answer, self.watch.known()) {
            (AgentAnswer::Protected { .. }, Known::Granted(expiry)) => self.standing = Some(*expiry),
            (AgentAnswer::Unprotected, _) => self.standing = None,
            _ => {}
        }
        self.failed = failure(answer).map(|reason| FailedRequest { at: now.moment, reason });
        let granted = self.standing;
        for applicant in &mut self.applicants {
            applicant.hear(answer, granted, now.moment);
        }
        self.follow_jobs();
        self.idle_since = now.moment;
        news
    }

    fn covers_jobs(&self, now: Duration) -> bool {
        let latest = self.jobs.latest_end().unwrap_or(Duration::ZERO);
        matches!(self.watch.known(), Known::Granted(_))
            && self.standing.is_some_and(|expiry| expiry.moment > now && expiry.moment + TOLERANCE >= latest)
    }

    /// Sets the earliest moment of the next request for applicants.
    fn pace(&mut self, answer: &AgentAnswer, now: Duration) {
        match answer {
            AgentAnswer::Protected { .. } => (self.request_from, self.pause) = (now, RETRY_PAUSE),
            AgentAnswer::Refused(_) => (self.request_from, self.pause) = (now + PAUSE_AFTER_REFUSAL, RETRY_PAUSE),
            AgentAnswer::Unprotected | AgentAnswer::Unknown(_) => {
                self.request_from = now + self.pause;
                self.pause = (self.pause * 2).min(RETRY_PAUSE_MAX);
            }
        }
    }

    fn cleared(&mut self, answer: &AgentAnswer, now: Now) -> News {
        // With any answer, no job may rely on the protection any more.
        self.watch = ProtectionWatch::new(Duration::ZERO, self.settings.check_interval);
        self.standing = None;
        if *answer == AgentAnswer::Unprotected {
            self.may_be_protected = false;
        } else {
            self.clear_from = now.moment + self.settings.check_interval;
        }
        News::Yes
    }
}

impl Applicant {
    /// Takes the answer to the request that asked for its job too.
    fn hear(&mut self, answer: &AgentAnswer, granted: Option<Expiry>, now: Duration) {
        let Progression::Asked(end) = self.progress else {
            return;
        };
        let wanted = end.min(now + GRANT_MAX);
        self.progress = match (answer, granted) {
            (AgentAnswer::Protected { .. }, Some(expiry)) if expiry.moment + TOLERANCE >= wanted => {
                Progression::Answered(Verdict::Protected(expiry))
            }
            (AgentAnswer::Protected { .. }, _) => Progression::Answered(Verdict::Refused(TOO_SHORT.to_owned())),
            (AgentAnswer::Refused(refusal), _) => Progression::Answered(Verdict::Refused(refusal.reason.clone())),
            (AgentAnswer::Unprotected, _) => Progression::Answered(Verdict::Unknown(UNPROTECTED.to_owned())),
            (AgentAnswer::Unknown(problem), _) if problem.is_transient() => Progression::New,
            (AgentAnswer::Unknown(problem), _) => Progression::Answered(Verdict::Unknown(problem.to_string())),
        };
    }
}

const TOO_SHORT: &str = "ECS granted less protection than the job needs";
const UNPROTECTED: &str = "the agent says that the task is not protected, in answer to a request to protect it";

/// Why a request does not protect the task, if it does not.
fn failure(answer: &AgentAnswer) -> Option<String> {
    match answer {
        AgentAnswer::Protected { .. } => None,
        AgentAnswer::Unprotected => Some(UNPROTECTED.to_owned()),
        AgentAnswer::Refused(refusal) => Some(refusal.reason.clone()),
        AgentAnswer::Unknown(problem) => Some(problem.to_string()),
    }
}
