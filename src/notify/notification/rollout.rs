//! The rollout of a service in sentences: when it can end, its deadline, and the task counts.

use crate::ecs::service_deployment::{HookAction, LifecycleStage};
use crate::notify::notification::{Section, Text};
use crate::notify::wording::{clock, count, span, time_from};
use crate::service::blocking_task::BlockingTask;
use crate::service::diagnosis::Diagnosis;
use crate::service::forecast::{DEADLINE_TAG, DeadlineSource, Forecast, ForecastBasis};
use crate::service::rollout::Rollout;
use crate::service::task_counts::{DEPLOYMENTS_MAX, TaskCounts};
use jiff::{SignedDuration, Timestamp};

/// The kind of rollout.
pub(crate) fn rollout(rollout: &Rollout) -> &'static str {
    match rollout {
        Rollout::None | Rollout::Deployment { .. } => "deployment",
        Rollout::CleanUp { .. } => "clean-up",
        Rollout::TaskSet { .. } => "task set change",
        Rollout::ScaleIn { .. } => "scale-in",
    }
}

/// Both forecasts, compared with the deadline, and where the deadline comes from.
pub(crate) fn forecast(diagnosis: &Diagnosis, now: Timestamp) -> Option<Section> {
    let forecast = diagnosis.forecast?;
    let mut lines = match forecast.jobs_started {
        0 => ends(&forecast, now),
        _ => open_ended(diagnosis, &forecast, now),
    };
    lines.extend(margins(diagnosis).map(Text::from));
    let deadline = diagnosis.deadline.map(|deadline| match deadline.source {
        DeadlineSource::CloudFormation => {
            let hours = diagnosis.rollout.started_at().map_or(0, |start| deadline.at.duration_since(start).as_hours());
            let limit = if hours == 3 { "three hours".to_owned() } else { format!("{hours} hours") };
            format!("The deadline is CloudFormation's: after {limit}, it fails the update and rolls back.")
        }
        DeadlineSource::LifecycleStage => {
            "The deadline is that of the lifecycle stage: ECS ends a stage after 24 hours.".to_owned()
        }
        DeadlineSource::CleanUp => {
            "The deadline is ECS's: it removes the old tasks of a successful deployment for up to two weeks.".to_owned()
        }
        DeadlineSource::Tag => format!("The deadline is set by the service's tag {DEADLINE_TAG}."),
        DeadlineSource::Setting => "The deadline is set by TASKHOLD_DEADLINE_MINUTES.".to_owned(),
    });
    lines.extend(deadline.map(Text::from));
    Some(Section::Lines(lines))
}

/// The expected end with its basis, and the latest one.
fn ends(forecast: &Forecast, now: Timestamp) -> Vec<Text> {
    let [by_jobs, by_expiry] = [forecast.by_jobs, forecast.by_expiry].map(|end| time_from(end, now));
    let expected = match (forecast.basis, forecast.by_risk) {
        (ForecastBasis::Learned, Some(risk)) => {
            let risk = time_from(risk, now);
            format!("Expected end: {by_jobs}, by the median of earlier jobs; unlikely after {risk}.")
        }
        (ForecastBasis::Declared | ForecastBasis::Learned, _) => {
            format!("Expected end: {by_jobs}, if the jobs end when their workers expect.")
        }
        (ForecastBasis::Maximum, _) => "Expected end: not known, only the maximum.".to_owned(),
    };
    vec![expected.into(), format!("Latest end: {by_expiry}, if every protection lasts until it expires.").into()]
}

/// That old tasks take new jobs, so that no end is known.
fn open_ended(diagnosis: &Diagnosis, forecast: &Forecast, now: Timestamp) -> Vec<Text> {
    let started = format!(" since the {} began", rollout(&diagnosis.rollout));
    let jobs = count(forecast.jobs_started, "job");
    let busy: Vec<&BlockingTask> = diagnosis.blocking_tasks.iter().filter(|task| task.jobs_started > 0).collect();
    let text = Text::from("No end is known: ");
    let text = match busy[..] {
        [task] => {
            text.own("task ").id(task.task.as_str()).own(format!(" has started {jobs}{started}, and its worker takes"))
        }
        _ => {
            text.own(format!("{} have started {jobs}{started}, and their workers take", count(busy.len(), "old task")))
        }
    };
    vec![
        text.own(" new ones."),
        format!("Earliest end: {}, if they take none from now on.", time_from(forecast.by_jobs, now)).into(),
        "Before a worker takes a job, it can ask taskhold-run: GET /v1/admission.".into(),
    ]
}

/// The pause of the deployment, or that it had one.
pub(crate) fn pause(diagnosis: &Diagnosis, now: Timestamp) -> Option<String> {
    let Some(pause) = &diagnosis.pause else {
        let until = diagnosis.paused_until?;
        return Some(format!("The deployment was paused until about {}.", clock(until, now)));
    };
    let stage = match &pause.stage {
        // Any other word is AWS's, of any length.
        None | Some(LifecycleStage::Other(_)) => String::new(),
        Some(stage) => format!(" at the stage {}", stage.as_str()),
    };
    let then = match pause.timeout() {
        Some((at, HookAction::Continue)) => format!(" It continues by itself at {}.", clock(at, now)),
        Some((at, HookAction::Rollback)) => format!(" ECS rolls it back at {}.", clock(at, now)),
        Some((at, HookAction::Other(_))) => format!(" The pause ends at {}.", clock(at, now)),
        None => String::new(),
    };
    Some(format!("The deployment is paused{stage} and waits for a person.{then}"))
}

/// Both forecasts compared with the deadline.
fn margins(diagnosis: &Diagnosis) -> Option<String> {
    let (deadline, forecast) = (diagnosis.deadline?, diagnosis.forecast.filter(|forecast| forecast.jobs_started == 0)?);
    let (expected, latest) = (deadline.margin(&forecast), deadline.at.duration_since(forecast.by_expiry));
    let side = |margin: SignedDuration| {
        let side = if margin.is_negative() { "after" } else { "before" };
        format!("{} {side}", span(whole_minutes(margin)))
    };
    let expected_end = format!("The expected end is {} the deadline", side(expected));
    let is_at_risk = forecast.by_risk.is_some_and(|risk| risk > deadline.at);
    Some(match (expected.is_negative(), latest.is_negative()) {
        (_, true) if forecast.basis == ForecastBasis::Maximum => {
            format!("The latest end is {} the deadline: it may be missed.", side(latest))
        }
        _ if forecast.basis == ForecastBasis::Maximum => format!("The latest end is {} the deadline.", side(latest)),
        (true, _) if forecast.basis == ForecastBasis::Learned => format!("{expected_end}: it will probably be missed."),
        (true, _) => format!("{expected_end}: it will be missed."),
        (false, _) if is_at_risk => format!("{expected_end}, but it may be missed."),
        (false, true) => format!("{expected_end}, but the latest end is {} it.", side(latest)),
        (false, false) if expected == latest => format!("{expected_end}."),
        (false, false) => format!("{expected_end}, the latest end {} it.", side(latest)),
    })
}

/// The time between the expected end and the deadline; negative if the deadline will be missed.
pub(crate) fn margin(diagnosis: &Diagnosis) -> Option<SignedDuration> {
    Some(whole_minutes(diagnosis.deadline?.margin(diagnosis.forecast.as_ref()?)))
}

/// Rounded down like `marginMinutes`: a deadline missed by seconds is missed by a minute.
fn whole_minutes(margin: SignedDuration) -> SignedDuration {
    SignedDuration::from_mins(margin.as_secs().div_euclid(60))
}

pub(crate) fn task_counts(counts: &TaskCounts) -> Section {
    let TaskCounts { desired, lower_bound, upper_bound, live, protected, room, deployments } = counts;
    Section::Lines(vec![
        format!(
            "Tasks: {desired} desired, min {lower_bound}, max {upper_bound}; {live} live, {protected} of them protected."
        )
        .into(),
        format!(
            "Room for {room} new tasks beside the blocking tasks. Deployments: {deployments} of {DEPLOYMENTS_MAX}."
        )
        .into(),
    ])
}
