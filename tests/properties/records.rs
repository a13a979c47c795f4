//! Items as the table stores them (`src/aws/dynamodb/item.rs`): every stored record reads back unchanged.

use super::config;
use super::drawn::{any_moment, at, job_key, labels, task_id, text, when};
use jiff::Timestamp;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use taskhold::ecs::FailureReason;
use taskhold::ecs::task::ContainerExit;
use taskhold::outbox::Delivery;
use taskhold::service::alert::{AlertKind, Transition};
use taskhold::service::durations::LearnedDurations;
use taskhold::service::forecast::{Deadline, DeadlineSource};
use taskhold::service::incident::pending::PendingNotification;
use taskhold::service::incident::scope::IncidentScope;
use taskhold::service::incident::{Incident, IncidentState};
use taskhold::service::record::{BlockedSince, PausedRollout, ServiceRecord, Watch};
use taskhold::service::remediation::{RaiseStage, Raised, RemediationNote, RemediationState};
use taskhold::service::waiting_scale_in::WaitingScaleIn;
use taskhold::task::agent_protection::AgentProtection;
use taskhold::task::attention::{Attention, attention};
use taskhold::task::fingerprints::Fingerprints;
use taskhold::task::interruption::{InterruptedJob, Interruption, StopStage, TrackedInterruption};
use taskhold::task::job::{Job, Labels, Reported};
use taskhold::task::protection::{CallResult, Protection, ProtectionRequest, Refusal};
use taskhold::task::record::{Membership, TaskRecord};
use taskhold::task::rejected::RejectedStarts;

fn maybe_moment() -> impl Strategy<Value = Option<Timestamp>> {
    option::of(any_moment())
}

pub(crate) fn job() -> impl Strategy<Value = Job> {
    job_of(any_moment, 1..=2880_u32, text(), labels(), agent_protection())
}

/// A job with members from these strategies. Each may be missing.
pub(crate) fn job_of<M: Strategy<Value = Timestamp>>(
    moment: impl Fn() -> M,
    heartbeat: impl Strategy<Value = u32>,
    kind: impl Strategy<Value = String>,
    labels: impl Strategy<Value = Labels>,
    by_agent: impl Strategy<Value = AgentProtection>,
) -> impl Strategy<Value = Job> {
    let moments = [(); 5].map(|()| option::of(moment()));
    let expected = option::of((moment(), moment()).prop_map(|(at, value)| Reported { at, value }));
    let labelled = option::of((moment(), labels).prop_map(|(at, value)| Reported { at, value }));
    let by_agent = option::of((moment(), by_agent).prop_map(|(at, value)| Reported { at, value }));
    (moments, expected, option::of(heartbeat), option::of(kind), labelled, by_agent).prop_map(
        |(
            [started_at, declared_until, presumed_until, reported_at, finished_at],
            expected_until,
            heartbeat_minutes,
            kind,
            labels,
            protection,
        )| Job {
            started_at,
            declared_until,
            presumed_until,
            expected_until,
            reported_at,
            heartbeat_minutes,
            finished_at,
            kind,
            labels,
            protection,
        },
    )
}

fn agent_protection() -> impl Strategy<Value = AgentProtection> {
    prop_oneof![
        any_moment().prop_map(AgentProtection::Until),
        text().prop_map(|reason| AgentProtection::Refused { reason })
    ]
}

fn ask() -> impl Strategy<Value = ProtectionRequest> {
    prop_oneof![Just(ProtectionRequest::Clear), any_moment().prop_map(ProtectionRequest::ProtectUntil)]
}

fn refusal() -> impl Strategy<Value = Refusal> {
    let known = select(vec![FailureReason::DeploymentBlocked, FailureReason::Missing, FailureReason::TaskNotValid]);
    let reason = prop_oneof![3 => known, 1 => text().prop_map(FailureReason::Other)];
    (reason, option::of(text()), any_moment()).prop_map(|(reason, detail, at)| Refusal { reason, detail, at })
}

fn result() -> impl Strategy<Value = CallResult> {
    prop_oneof![
        any_moment().prop_map(CallResult::Granted),
        Just(CallResult::Cleared),
        refusal().prop_map(CallResult::Refused),
        Just(CallResult::WithoutEffect),
        Just(CallResult::Unknown),
    ]
}

/// A protection with a history: calls started, some of them settled, in any order.
pub(crate) fn protection() -> impl Strategy<Value = Protection> {
    vec((ask(), any_moment(), option::of(result())), 0..7).prop_map(|calls| {
        let mut protection = Protection::default();
        let begun: Vec<_> = calls.iter().map(|(ask, now, _)| protection.begin(*ask, *now)).collect();
        for (id, (_, _, result)) in begun.into_iter().zip(calls).rev() {
            if let (Some(id), Some(result)) = (id, result) {
                protection.settle(id, result);
            }
        }
        protection
    })
}

pub(crate) fn interruption() -> impl Strategy<Value = Interruption> {
    let stage = select(vec![StopStage::Stopping, StopStage::Stopped]);
    let job = (job_key(), when(), labels()).prop_map(|(key, until, labels)| InterruptedJob { key, until, labels });
    let known = ["SpotInterruption", "ServiceSchedulerInitiated", "UserInitiated", "TaskFailedToStart"];
    let code = prop_oneof![select(known.map(str::to_owned).to_vec()), text()];
    let exit = (text(), any::<i32>()).prop_map(|(container, code)| ContainerExit { container, code });
    let of_ecs = (option::of(code), option::of(text()), vec(exit, 0..14));
    (
        stage,
        when(),
        option::of(text()),
        vec(job, 0..16),
        of_ecs,
        [option::of(when()), option::of(when()), option::of(when())],
    )
        .prop_map(|(stage, at, service, jobs, (stop_code, stopped_reason, exit_codes), protection)| Interruption {
            stage,
            at,
            service,
            jobs,
            stop_code,
            stopped_reason,
            exit_codes,
            protected_until: protection[0],
            protection_reported_at: protection[1],
            is_reported_by_worker: protection[0].is_some() && stage == StopStage::Stopped,
            protection_lost_at: protection[2],
        })
}

fn delivery() -> impl Strategy<Value = Delivery> {
    (maybe_moment(), any::<u8>()).prop_map(|(claimed_until, failures)| Delivery { claimed_until, failures })
}

fn task_record() -> impl Strategy<Value = TaskRecord> {
    let membership =
        (text(), any::<bool>()).prop_map(|(service, is_awaited)| Box::new(Membership { service, is_awaited }));
    let news = (interruption(), option::of(delivery()), any::<bool>())
        .prop_map(|(what, delivery, forwarded)| TrackedInterruption { what, delivery, forwarded });
    let jobs = btree_map(job_key(), job().prop_map(Box::new), 0..5).prop_map(Arc::new);
    let finished = vec((job_key(), any_moment()), 0..4);
    let rejected = vec((job_key(), job(), any_moment()), 0..7);
    let moments = [maybe_moment(), maybe_moment(), maybe_moment(), maybe_moment()];
    (jobs, protection(), option::of(membership), vec(news, 0..3), moments, finished, rejected).prop_map(
        |(jobs, protection, membership, interruptions, moments, finished, rejected)| {
            let [lingers_until, stopped_at, agent_cleared_at, agent_protection] = moments;
            let rejected = (!rejected.is_empty()).then(|| {
                let mut starts = RejectedStarts::since(rejected[0].2);
                rejected.iter().for_each(|(key, job, until)| starts.add(key, job, *until));
                Box::new(starts)
            });
            let mut fingerprints = Fingerprints::default();
            finished.iter().for_each(|(key, until)| fingerprints.insert(key, *until));
            TaskRecord {
                durations_for: lingers_until.map(|_| "web".into()),
                jobs,
                protection,
                membership,
                interruptions,
                fingerprints,
                rejected,
                lingers_until: lingers_until.map(Box::new),
                agent_cleared_at: agent_cleared_at.map(Box::new),
                agent_protection: agent_protection.map(|value| Box::new(Reported { at: at(0), value })),
                stopped_at,
            }
        },
    )
}

pub(crate) fn remediation_notes() -> impl Strategy<Value = Vec<RemediationNote>> {
    vec((when(), text()).prop_map(|(at, text)| RemediationNote { at, text }), 0..4)
}

fn remediation() -> impl Strategy<Value = RemediationState> {
    let stage = select(vec![RaiseStage::Raising, RaiseStage::Raised, RaiseStage::PuttingBack]);
    let raised = (any::<[u32; 3]>(), any_moment(), stage).prop_map(|([from, to, before], at, stage)| Raised {
        from,
        to,
        before,
        at,
        stage,
    });
    (option::of(raised), maybe_moment(), remediation_notes()).prop_map(|(raised, raised_at, notes)| RemediationState {
        raised,
        raised_at,
        notes,
    })
}

fn incident() -> impl Strategy<Value = Incident> {
    let event = select(vec![Transition::Opened, Transition::Escalated, Transition::Repeated, Transition::Resolved]);
    let before = option::of(event.clone());
    let pending =
        (event, delivery(), before).prop_map(|(event, delivery, after)| PendingNotification { event, delivery, after });
    let state = (any::<u8>(), maybe_moment()).prop_map(|(marks, resolved_at)| match (marks, resolved_at) {
        (marks, Some(at)) => IncidentState::Resolved { at, marks },
        (0, None) => IncidentState::Open,
        (marks, None) => IncidentState::Escalated { marks },
    });
    let sources = select(vec![
        DeadlineSource::CloudFormation,
        DeadlineSource::LifecycleStage,
        DeadlineSource::CleanUp,
        DeadlineSource::Tag,
        DeadlineSource::Setting,
    ]);
    let deadline = (maybe_moment(), sources).prop_map(|(at, source)| Some(Deadline { at: at?, source }));
    let scope = (vec(text(), 0..3), btree_set(task_id(), 0..4), maybe_moment(), deadline).prop_map(
        |(deployments, tasks, came_back_at, last_deadline)| IncidentScope {
            deployments,
            tasks,
            came_back_at,
            last_deadline,
        },
    );
    let kind = select(AlertKind::ALL.to_vec());
    (kind, any_moment(), any_moment(), state, any::<bool>(), option::of(pending), scope).prop_map(
        |(kind, since, notified_at, state, attempted, pending, scope)| Incident {
            kind,
            since,
            notified_at,
            state,
            attempted,
            pending,
            scope,
        },
    )
}

fn service_record() -> impl Strategy<Value = ServiceRecord> {
    let blocked = (text(), any_moment()).prop_map(|(rollout, since)| BlockedSince { rollout, since });
    let paused = (text(), any_moment()).prop_map(|(rollout, until)| PausedRollout { rollout, until });
    let watch = (option::of(text()), any_moment(), any::<u32>(), maybe_moment())
        .prop_map(|(rollout, started_at, checks, due)| Watch { rollout, started_at, checks, due });
    let tasks = (btree_set(task_id(), 0..4), btree_map(task_id(), any_moment(), 0..4));
    let incidents = btree_map(text(), incident(), 0..4);
    let finished = (task_id(), job_key(), job()).prop_map(|(task, key, job)| {
        let mut record = TaskRecord::default();
        record.merge_job(&key, &job);
        let mut durations = LearnedDurations::default();
        durations.gather(&task, &record);
        durations
    });
    let learned = (finished, incidents);
    let scale_in = (any::<u32>(), any_moment())
        .prop_map(|(desired, jobs_expected_until)| WaitingScaleIn { desired, jobs_expected_until });
    let watched = (option::of(paused), option::of(watch), option::of(scale_in));
    (option::of(blocked), watched, maybe_moment(), tasks, remediation(), learned).prop_map(
        |(blocked, watched, triggered_at, (refused, idle_since), remediation, (durations, incidents))| {
            let (paused, watch, waiting_scale_in) = watched;
            ServiceRecord {
                blocked,
                paused,
                waiting_scale_in,
                watch,
                triggered_at,
                refused,
                idle_since,
                remediation,
                durations,
                incidents,
            }
        },
    )
}

fn is_read_as_it_was_stored<E: Serialize + DeserializeOwned + PartialEq + Debug>(
    record: &E,
) -> Result<(), TestCaseError> {
    let json = serde_json::to_string(record).unwrap();
    let read: E = serde_json::from_str(&json).map_err(|error| TestCaseError::fail(format!("{error}: {json}")))?;
    prop_assert_eq!(&read, record);
    prop_assert_eq!(serde_json::to_string(&read).unwrap(), json);
    Ok(())
}

/// A later version of the function may add fields to a record.
fn is_read_beside_what_is_not_known<E: Serialize + DeserializeOwned + PartialEq + Debug>(
    record: &E,
) -> Result<(), TestCaseError> {
    let mut json: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(&serde_json::to_string(record).unwrap()).unwrap();
    json.insert("fromTheFuture".to_owned(), serde_json::json!({"a": [1, null]}));
    let read: E = serde_json::from_str(&serde_json::to_string(&json).unwrap()).unwrap();
    prop_assert_eq!(&read, record);
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_record_of_a_task_is_read_as_it_was_stored(record in task_record()) {
        is_read_as_it_was_stored(&record)?;
        is_read_beside_what_is_not_known(&record)?;
    }

    #[test]
    fn the_record_of_a_service_is_read_as_it_was_stored(record in service_record()) {
        is_read_as_it_was_stored(&record)?;
        is_read_beside_what_is_not_known(&record)?;
    }

    #[test]
    fn a_sweep_finds_in_its_index_whatever_needs_attention(record in task_record(), now in prop_oneof![any_moment(), Just(at(0))]) {
        prop_assert!(record.is_open() || attention(&record, now) == Attention::None);
    }

    #[test]
    fn an_interruption_is_sent_by_one_invocation_at_a_time(record in task_record(), now in any_moment()) {
        prop_assume!(now < Timestamp::MAX - jiff::SignedDuration::from_hours(1));
        let is_due = |delivery: &Delivery| delivery.is_due(now);
        let due = record.interruptions.iter().filter(|tracked| tracked.delivery.as_ref().is_some_and(is_due));
        let due: Vec<_> = due.map(|tracked| tracked.what.clone()).collect();
        let mut record = record;
        let claimed: Vec<_> = std::iter::from_fn(|| record.claim_interruption(now)).map(|tracked| tracked.what).collect();
        prop_assert_eq!(claimed, due);
    }
}
