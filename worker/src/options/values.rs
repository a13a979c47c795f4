//! What single options may say.

use super::given::{Given, GivenValue, OptionError};
use crate::duration;
use crate::job::DeclaredJob;
use crate::limits::{problem_of_id, problem_of_kind, problem_of_label, problem_of_labels};
use crate::log::LogFormat;
use crate::wire::JobOutcome;
use std::collections::BTreeMap;
use std::time::Duration;

/// What to do while the task is not protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfRefused {
    Run,
    Wait,
    Exit,
}

/// To which process signals go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignalTarget {
    Command,
    Group,
}

impl Given {
    fn choice(&self, option: &str) -> Option<(&GivenValue, &str)> {
        self.value(option).map(|value| (value, value.text.as_str()))
    }

    pub(super) fn if_refused(&self, unless_given: IfRefused) -> Result<IfRefused, OptionError> {
        match self.choice("if-refused") {
            None => Ok(unless_given),
            Some((_, "run")) => Ok(IfRefused::Run),
            Some((_, "wait")) => Ok(IfRefused::Wait),
            Some((_, "exit")) => Ok(IfRefused::Exit),
            Some((value, _)) => Err(value.error("is not run, wait or exit")),
        }
    }

    pub(super) fn log_format(&self) -> Result<LogFormat, OptionError> {
        match self.choice("log-format") {
            None | Some((_, "text")) => Ok(LogFormat::Text),
            Some((_, "json")) => Ok(LogFormat::Json),
            Some((value, _)) => Err(value.error("is not text or json")),
        }
    }

    pub(super) fn signal_target(&self) -> Result<SignalTarget, OptionError> {
        match self.group.as_ref().map(|value| (value, value.text.as_str())) {
            None | Some((_, "0" | "false")) => Ok(SignalTarget::Command),
            Some((_, "1" | "true")) => Ok(SignalTarget::Group),
            Some((value, _)) => Err(value.error("is not 1 or 0")),
        }
    }

    pub(super) fn outcome(&self) -> Result<JobOutcome, OptionError> {
        match self.choice("outcome") {
            None => Ok(JobOutcome::Success),
            Some((value, name)) => {
                JobOutcome::named(name).ok_or_else(|| value.error("is not success, failure or interrupted"))
            }
        }
    }

    pub(super) fn attempt(&self) -> Result<Option<u32>, OptionError> {
        let Some(value) = self.value("attempt") else {
            return Ok(None);
        };
        let attempt = value.text.parse().ok().filter(|attempt| *attempt > 0);
        attempt.map(Some).ok_or_else(|| value.error("is not a whole number from 1"))
    }

    pub(super) fn port(&self, unless_given: u16) -> Result<u16, OptionError> {
        match self.value("port") {
            None => Ok(unless_given),
            Some(value) => value.text.parse().map_err(|_| value.error("is not a port number")),
        }
    }

    /// The job of this id.
    pub(super) fn job(&self, id: String) -> Result<DeclaredJob, OptionError> {
        let kind = self.value("kind");
        if let Some((kind, problem)) = kind.and_then(|kind| Some((kind, problem_of_kind(&kind.text)?))) {
            return Err(kind.error(problem));
        }
        Ok(DeclaredJob {
            id,
            attempt: self.attempt()?.unwrap_or(1),
            max: self.duration("max-duration")?.unwrap_or(MAX_DURATION),
            expected: self.duration("expected-duration")?,
            kind: kind.map(|kind| kind.text.clone()),
            labels: labels(&self.labels)?,
        })
    }

    pub(super) fn job_id(&self) -> Result<Option<String>, OptionError> {
        let Some(value) = self.value("job-id") else {
            return Ok(None);
        };
        match problem_of_id(&value.text) {
            Some(problem) => Err(value.error(problem)),
            None => Ok(Some(value.text.clone())),
        }
    }

    /// A duration above zero.
    pub(super) fn duration(&self, option: &str) -> Result<Option<Duration>, OptionError> {
        let duration = self.duration_or_zero(option)?;
        match self.value(option).filter(|_| duration.is_some_and(|duration| duration.is_zero())) {
            Some(value) => Err(value.error("is zero; write at least 1s")),
            None => Ok(duration),
        }
    }

    pub(super) fn duration_or_zero(&self, option: &str) -> Result<Option<Duration>, OptionError> {
        let Some(value) = self.value(option) else {
            return Ok(None);
        };
        duration::parse(&value.text).map(Some).map_err(|error| value.error(error))
    }

    pub(super) fn text(&self, option: &str) -> Option<String> {
        self.value(option).map(|value| value.text.clone())
    }
}

/// The function's default, too.
pub(super) const MAX_DURATION: Duration = Duration::from_secs(7200);

fn labels(given: &[GivenValue]) -> Result<BTreeMap<String, String>, OptionError> {
    let mut labels = BTreeMap::new();
    for value in given {
        let (name, text) = value.text.split_once('=').ok_or_else(|| value.error("is not NAME=VALUE"))?;
        let problem = problem_of_label(name, text).or_else(|| {
            labels.insert(name.to_owned(), text.to_owned());
            problem_of_labels(&labels)
        });
        if let Some(problem) = problem {
            return Err(value.error(problem));
        }
    }
    Ok(labels)
}
