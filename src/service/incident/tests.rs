//! Rules of incidents, on diagnoses built by hand.

use super::*;
use crate::ecs::arn::TaskId;
use crate::ecs::deployment::{DeploymentStatus, RolloutState};
use crate::outbox::DeliveryOutcome;
use crate::service::blocking_task::{BlockingTask, ProtectedFor};
use crate::service::diagnosis::{Assessment, Diagnosis};
use crate::service::forecast::{Deadline, DeadlineSource, Forecast, ForecastBasis};
use crate::service::incident::advance::advance;
use crate::service::incident::delivery::{ClaimedNotification, claim, settle};
use crate::service::incident::problem::idle_tasks;
use crate::service::refused_task::{RefusalCause, RefusedTask};
use crate::service::rollout::Rollout;
use crate::service::rollout_status::RolloutStatus;
use crate::service::snapshot::fixture;
use crate::service::snapshot::{Jobs, ServiceSnapshot, TaskSnapshot};
use crate::service::task_counts::TaskCounts;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + minute * 60).unwrap()
}

fn policy() -> AlertPolicy {
    AlertPolicy {
        blocked_after: SignedDuration::from_mins(5),
        scale_in_blocked_after: SignedDuration::from_mins(60),
        repeat_after: SignedDuration::from_mins(60),
    }
}

fn snapshot(minute: i64) -> ServiceSnapshot {
    fixture::service(at(minute))
}

/// A deployment that began at minute 0 with a deadline of three hours, blocked since minute 0, with its end at
/// `forecast`.
fn blocked(forecast: i64) -> Diagnosis {
    Diagnosis {
        rollout_status: RolloutStatus::Blocked,
        rollout: Rollout::Deployment { id: "ecs-svc/2".to_owned(), started_at: at(0) },
        blocking_tasks: Vec::new(),
        blocked_since: Some(at(0)),
        pause: None,
        paused_until: None,
        service_deployment: None,
        forecast: Some(Forecast {
            by_expiry: at(forecast),
            by_jobs: at(forecast),
            basis: ForecastBasis::Declared,
            by_risk: Some(at(forecast)),
            jobs_started: 0,
        }),
        deadline: Some(Deadline { at: at(180), source: DeadlineSource::Setting }),
        task_counts: TaskCounts {
            desired: 2,
            lower_bound: 2,
            upper_bound: 4,
            live: 4,
            protected: 2,
            room: 2,
            deployments: 2,
        },
        suggested_actions: Vec::new(),
        refused_tasks: Vec::new(),
        tag_problems: Vec::new(),
        gaps: Vec::new(),
    }
}

fn steady() -> Diagnosis {
    Diagnosis {
        rollout_status: RolloutStatus::Steady,
        rollout: Rollout::None,
        blocked_since: None,
        forecast: None,
        deadline: None,
        ..blocked(60)
    }
}

/// Advances, claims and delivers: a short form of the notifications sent.
fn notified(incidents: &mut Incidents, minute: i64, diagnosis: &Diagnosis) -> Vec<String> {
    advance(incidents, assess(&snapshot(minute), diagnosis), &policy());
    let claimed = claim(incidents, at(minute));
    for claimed in &claimed {
        settle(incidents, &claimed.key, claimed.event, DeliveryOutcome::Acknowledged, at(minute));
    }
    let shown =
        |claimed: &ClaimedNotification| format!("{} {}", claimed.incident.kind.as_str(), claimed.event.as_str());
    claimed.iter().map(shown).collect()
}

static NO_IDLE_TASKS: BTreeMap<TaskId, Timestamp> = BTreeMap::new();

fn assess<'a>(snapshot: &'a ServiceSnapshot, diagnosis: &'a Diagnosis) -> Assessment<'a> {
    Assessment { snapshot, diagnosis, idle_since: &NO_IDLE_TASKS, waiting_scale_in: None }
}

#[test]
fn an_incident_opens_once_after_its_time_and_resolves_once() {
    let mut incidents = Incidents::new();
    assert!(notified(&mut incidents, 4, &blocked(60)).is_empty());
    assert_eq!(notified(&mut incidents, 5, &blocked(60)), ["deployment-blocked opened"]);
    assert!(notified(&mut incidents, 6, &blocked(60)).is_empty());
    assert_eq!(notified(&mut incidents, 7, &steady()), ["deployment-blocked resolved"]);
    assert!(notified(&mut incidents, 8, &steady()).is_empty());
}

#[test]
fn an_instance_whose_clock_is_behind_does_not_resolve_what_is_open() {
    let mut incidents = Incidents::new();
    assert_eq!(notified(&mut incidents, 5, &blocked(60)), ["deployment-blocked opened"]);
    assert!(notified(&mut incidents, 4, &blocked(60)).is_empty());
    assert!(notified(&mut incidents, 6, &blocked(60)).is_empty());
}

#[test]
fn what_is_still_so_is_repeated_at_its_interval_and_escalates_at_its_marks() {
    let mut incidents = Incidents::new();
    notified(&mut incidents, 5, &blocked(170));
    assert!(notified(&mut incidents, 64, &blocked(170)).is_empty());
    assert_eq!(notified(&mut incidents, 65, &blocked(170)), ["deployment-blocked repeated"]);
    assert_eq!(notified(&mut incidents, 90, &blocked(170)), ["deployment-blocked escalated"], "half of three hours");
    assert_eq!(notified(&mut incidents, 144, &blocked(170)), ["deployment-blocked escalated"], "four fifths");
    assert!(notified(&mut incidents, 150, &blocked(170)).is_empty());
    assert!(notified(&mut incidents, 179, &blocked(240)).is_empty());
    assert_eq!(notified(&mut incidents, 180, &blocked(240)), ["deployment-blocked escalated"], "the deadline passes");
    assert!(notified(&mut incidents, 200, &blocked(240)).is_empty());
}

#[test]
fn a_forecast_past_the_deadline_is_notified_at_once_and_carried_while_it_is_blocked() {
    let mut incidents = Incidents::new();
    assert_eq!(notified(&mut incidents, 1, &blocked(240)), ["deployment-at-risk opened"]);
    assert_eq!(notified(&mut incidents, 5, &blocked(240)), ["deployment-blocked opened"]);
    assert_eq!(notified(&mut incidents, 64, &blocked(240)), Vec::<String>::new(), "the lesser one is not repeated");
    let over = notified(&mut incidents, 70, &steady());
    assert_eq!(over, ["deployment-blocked resolved", "deployment-at-risk resolved"]);
}

#[test]
fn the_maximum_alone_puts_no_deadline_at_risk_and_keeps_an_incident_of_an_overdue_job() {
    let with_risk = |by_jobs: i64, by_risk: Option<i64>| {
        let basis = if by_risk.is_some() { ForecastBasis::Learned } else { ForecastBasis::Maximum };
        let (by_expiry, by_risk) = (at(240), by_risk.map(at));
        let forecast = Some(Forecast { by_expiry, by_jobs: at(by_jobs), basis, by_risk, jobs_started: 0 });
        Diagnosis { forecast, rollout_status: RolloutStatus::WillBlock, ..blocked(240) }
    };
    let mut incidents = Incidents::new();
    assert!(notified(&mut incidents, 1, &with_risk(240, None)).is_empty());
    assert!(notified(&mut incidents, 2, &with_risk(100, Some(180))).is_empty());
    assert_eq!(notified(&mut incidents, 3, &with_risk(100, Some(181))), ["deployment-at-risk opened"]);
    assert!(notified(&mut incidents, 4, &with_risk(240, None)).is_empty(), "the job outlived all that were learned");
    assert_eq!(notified(&mut incidents, 5, &with_risk(100, Some(170))), ["deployment-at-risk resolved"]);
}

#[test]
fn a_snapshot_with_gaps_resolves_nothing() {
    let mut incidents = Incidents::new();
    notified(&mut incidents, 5, &blocked(60));
    let unclear = Diagnosis { gaps: vec!["…".to_owned()], rollout_status: RolloutStatus::Unknown, ..steady() };
    assert!(notified(&mut incidents, 6, &unclear).is_empty());
    assert_eq!(notified(&mut incidents, 7, &steady()), ["deployment-blocked resolved"]);
}

#[test]
fn of_two_instances_only_the_one_that_claims_tells() {
    let mut incidents = Incidents::new();
    advance(&mut incidents, assess(&snapshot(5), &blocked(60)), &policy());
    assert_eq!(claim(&mut incidents, at(5)).len(), 1);
    assert!(claim(&mut incidents, at(5)).is_empty());
    assert_eq!(claim(&mut incidents, at(6)).len(), 1, "the invocation that claimed it has died");
}

#[test]
fn an_alert_that_was_not_delivered_is_sent_by_the_next_reconcile() {
    let mut incidents = Incidents::new();
    advance(&mut incidents, assess(&snapshot(5), &blocked(60)), &policy());
    let claimed = claim(&mut incidents, at(5)).remove(0);
    settle(&mut incidents, &claimed.key, claimed.event, DeliveryOutcome::Failed, at(5));
    assert_eq!(notified(&mut incidents, 6, &blocked(60)), ["deployment-blocked opened"]);
}

#[test]
fn an_alert_that_is_never_delivered_is_sent_at_growing_intervals() {
    let mut incidents = Incidents::new();
    advance(&mut incidents, assess(&snapshot(5), &blocked(60)), &policy());
    let mut tries = Vec::new();
    for minute in 5..65 {
        for claimed in claim(&mut incidents, at(minute)) {
            tries.push(minute);
            settle(&mut incidents, &claimed.key, claimed.event, DeliveryOutcome::Failed, at(minute));
        }
    }
    assert_eq!(tries, [5, 6, 16, 36]);
}

#[test]
fn an_incident_that_may_have_been_delivered_is_resolved_even_if_no_send_succeeded() {
    let mut incidents = Incidents::new();
    advance(&mut incidents, assess(&snapshot(5), &blocked(60)), &policy());
    let claimed = claim(&mut incidents, at(5)).remove(0);
    settle(&mut incidents, &claimed.key, claimed.event, DeliveryOutcome::Failed, at(5));
    assert_eq!(notified(&mut incidents, 6, &steady()), ["deployment-blocked resolved"]);
}

#[test]
fn an_incident_is_resolved_only_after_the_notification_in_flight() {
    let mut incidents = Incidents::new();
    let (blocked, steady) = (blocked(60), steady());
    let snapshot = |minute| snapshot(minute);
    for minute in [10, 15] {
        let seen = snapshot(minute);
        advance(&mut incidents, assess(&seen, &blocked), &policy());
    }
    assert_eq!(claim(&mut incidents, at(15)).len(), 1, "one tells that it is open");
    let seen = snapshot(15);
    advance(&mut incidents, assess(&seen, &steady), &policy());
    assert_eq!(claim(&mut incidents, at(15)), [], "another does not overtake it");
    assert_eq!(claimed(&mut incidents, 16), [Transition::Resolved]);
}

/// Advances without delivering: a short form of the pending notifications.
fn advanced(incidents: &mut Incidents, minute: i64, diagnosis: &Diagnosis) -> Vec<Transition> {
    advance(incidents, assess(&snapshot(minute), diagnosis), &policy());
    incidents.values().filter_map(|incident| incident.pending).map(|pending| pending.event).collect()
}

/// The transitions that one instance claims.
fn claimed(incidents: &mut Incidents, minute: i64) -> Vec<Transition> {
    claim(incidents, at(minute)).into_iter().map(|claimed| claimed.event).collect()
}

fn acknowledge(incidents: &mut Incidents, event: Transition, minute: i64) {
    let key = incidents.keys().next().unwrap().clone();
    settle(incidents, &key, event, DeliveryOutcome::Acknowledged, at(minute));
}

#[test]
fn an_incident_that_reopens_before_its_resolution_was_delivered_is_sent_once() {
    let mut incidents = Incidents::new();
    advanced(&mut incidents, 5, &blocked(60));
    assert_eq!(claimed(&mut incidents, 5), [Transition::Opened]);
    assert_eq!(advanced(&mut incidents, 5, &steady()), [Transition::Resolved]);
    acknowledge(&mut incidents, Transition::Opened, 5);
    assert_eq!(advanced(&mut incidents, 5, &blocked(60)), []);
    assert_eq!(notified(&mut incidents, 6, &steady()), ["deployment-blocked resolved"]);
}

#[test]
fn an_incident_that_reopens_during_its_first_send_is_sent_again_only_if_that_fails() {
    for is_sent in [true, false] {
        let mut incidents = Incidents::new();
        advanced(&mut incidents, 5, &blocked(60));
        claimed(&mut incidents, 5);
        advanced(&mut incidents, 5, &steady());
        assert_eq!(advanced(&mut incidents, 5, &blocked(60)), [Transition::Opened]);
        assert_eq!(claimed(&mut incidents, 5), [], "another invocation sends it");
        if is_sent {
            acknowledge(&mut incidents, Transition::Opened, 5);
        }
        let again = if is_sent { vec![] } else { vec![Transition::Opened] };
        assert_eq!(claimed(&mut incidents, 6), again);
    }
}

#[test]
fn an_incident_that_reopens_and_ends_before_a_send_is_not_sent_again() {
    let mut incidents = Incidents::new();
    notified(&mut incidents, 5, &blocked(60));
    notified(&mut incidents, 6, &steady());
    assert_eq!(advanced(&mut incidents, 7, &blocked(60)), [Transition::Opened]);
    assert_eq!(notified(&mut incidents, 7, &steady()), [""; 0]);
}

#[test]
fn a_resolution_that_may_not_have_been_delivered_is_sent_although_the_incident_reopened_in_between() {
    let mut incidents = Incidents::new();
    notified(&mut incidents, 5, &blocked(60));
    advanced(&mut incidents, 6, &steady());
    assert_eq!(claimed(&mut incidents, 6), [Transition::Resolved]);
    // The instance that claimed it has crashed.
    assert_eq!(advanced(&mut incidents, 8, &blocked(60)), [Transition::Opened]);
    assert_eq!(advanced(&mut incidents, 8, &steady()), [Transition::Resolved]);
}

#[test]
fn a_resolution_is_sent_as_soon_as_the_opening_was_delivered() {
    let mut incidents = Incidents::new();
    advanced(&mut incidents, 5, &blocked(60));
    claimed(&mut incidents, 5);
    advanced(&mut incidents, 5, &steady());
    assert_eq!(claimed(&mut incidents, 5), []);
    acknowledge(&mut incidents, Transition::Opened, 5);
    assert_eq!(claimed(&mut incidents, 5), [Transition::Resolved]);
}

#[test]
fn an_incident_that_was_never_sent_is_not_resolved() {
    let mut incidents = Incidents::new();
    advance(&mut incidents, assess(&snapshot(5), &blocked(60)), &policy());
    assert!(notified(&mut incidents, 6, &steady()).is_empty());
}

#[test]
fn an_incident_that_reopens_within_an_hour_continues_and_later_it_starts_anew() {
    for (minute, since) in [(7, at(0)), (65, at(0)), (66, at(20))] {
        let mut incidents = Incidents::new();
        notified(&mut incidents, 5, &blocked(60));
        notified(&mut incidents, 6, &steady());
        let again = Diagnosis { blocked_since: Some(at(20)), ..blocked(100) };
        let again = if minute == 7 { blocked(100) } else { again };
        assert_eq!(notified(&mut incidents, minute, &again), ["deployment-blocked opened"]);
        assert_eq!(incidents.values().map(|incident| incident.since).collect::<Vec<_>>(), [since], "minute {minute}");
    }
}

/// The same with this deployment and these blocking tasks.
fn behind(tasks: &[u8], deployment: &str, started_at: i64, diagnosis: Diagnosis) -> Diagnosis {
    let blocking = |number: &u8| BlockingTask {
        task: format!("{number:032x}").parse().unwrap(),
        deployment: None,
        protected_until: at(170),
        lingers_until: None,
        jobs_started: 0,
        protected_for: ProtectedFor::NoJob,
    };
    Diagnosis {
        rollout: Rollout::Deployment { id: deployment.to_owned(), started_at: at(started_at) },
        blocking_tasks: tasks.iter().map(blocking).collect(),
        blocked_since: Some(at(started_at)),
        deadline: Some(Deadline { at: at(started_at + 180), source: DeadlineSource::Setting }),
        ..diagnosis
    }
}

#[test]
fn a_new_deployment_behind_the_same_blocking_task_continues_the_incident_by_its_own_deadline() {
    let mut incidents = Incidents::new();
    let first = behind(&[1, 2], "ecs-svc/1", 0, blocked(170));
    assert_eq!(notified(&mut incidents, 5, &first), ["deployment-blocked opened"]);
    notified(&mut incidents, 65, &first);
    assert_eq!(notified(&mut incidents, 90, &first), ["deployment-blocked escalated"]);
    let second = behind(&[2, 3], "ecs-svc/2", 91, blocked(170));
    assert!(notified(&mut incidents, 92, &second).is_empty(), "neither resolved nor opened");
    let incident = incidents.values().next().unwrap().clone();
    assert_eq!((incident.since, incident.state), (at(0), IncidentState::Open));
    assert_eq!(incident.scope.superseded(), ["ecs-svc/1"]);
    notified(&mut incidents, 150, &second);
    assert_eq!(notified(&mut incidents, 181, &second), ["deployment-blocked escalated"], "half of its three hours");
    assert_eq!(notified(&mut incidents, 182, &steady()), ["deployment-blocked resolved"]);
}

#[test]
fn a_new_deployment_behind_other_blocking_tasks_ends_the_incident() {
    let mut incidents = Incidents::new();
    notified(&mut incidents, 5, &behind(&[1], "ecs-svc/1", 0, blocked(170)));
    let second = behind(&[2], "ecs-svc/2", 10, blocked(170));
    assert_eq!(notified(&mut incidents, 11, &second), ["deployment-blocked resolved"]);
}

#[test]
fn a_task_that_joins_an_open_refusal_is_notified_once() {
    let refused = |tasks: &[u8]| {
        let refused = |number: &u8| RefusedTask {
            task: format!("{number:032x}").parse().unwrap(),
            deployment: None,
            cause: RefusalCause::Ecs,
            since: at(0),
            protected_until: None,
            jobs: Vec::new(),
        };
        Diagnosis { refused_tasks: tasks.iter().map(refused).collect(), ..steady() }
    };
    let mut incidents = Incidents::new();
    assert_eq!(notified(&mut incidents, 0, &refused(&[1])), ["protection-refused opened"]);
    assert!(notified(&mut incidents, 9, &refused(&[1, 2])).is_empty(), "another was sent a moment ago");
    assert_eq!(notified(&mut incidents, 10, &refused(&[1, 2])), ["protection-refused repeated"]);
    assert!(notified(&mut incidents, 30, &refused(&[1, 2])).is_empty());
    assert!(notified(&mut incidents, 31, &refused(&[2])).is_empty());
    assert_eq!(notified(&mut incidents, 32, &refused(&[1, 2])), ["protection-refused repeated"], "it came back");
    // One that joins while the first notification is being sent is in none of the two.
    let mut incidents = Incidents::new();
    advanced(&mut incidents, 0, &refused(&[1]));
    assert_eq!(claimed(&mut incidents, 0), [Transition::Opened]);
    advanced(&mut incidents, 0, &refused(&[1, 2]));
    acknowledge(&mut incidents, Transition::Opened, 0);
    assert_eq!(notified(&mut incidents, 10, &refused(&[1, 2])), ["protection-refused repeated"]);
}

#[test]
fn many_deployments_are_reported_only_when_that_lasts() {
    let deployments = |begun: &[i64], minute: i64| {
        let mut seen = snapshot(minute);
        let begun = begun.iter().map(|minute| {
            fixture::deployment("ecs-svc/1", DeploymentStatus::Active, RolloutState::InProgress, at(*minute))
        });
        seen.service.deployments = begun.collect();
        seen
    };
    let mut incidents = Incidents::new();
    let mut opened = |begun: &[i64], minute: i64| {
        advance(&mut incidents, assess(&deployments(begun, minute), &steady()), &policy());
        claim(&mut incidents, at(minute)).into_iter().map(|claimed| claimed.event).collect::<Vec<_>>()
    };
    assert_eq!(opened(&[0, 10, 20], 29), []);
    assert_eq!(opened(&[0, 10, 20, 30], 31), [], "four of five, since a minute");
    assert_eq!(opened(&[30, 0, 10, 20], 32), [Transition::Opened]);
    let late = |begun: &[i64], minute: i64| {
        let mut incidents = Incidents::new();
        advance(&mut incidents, assess(&deployments(begun, minute), &steady()), &policy());
        incidents.len()
    };
    assert_eq!(late(&[10, 20, 30, 40], 41), 0, "an older one has just ended");
}

#[test]
fn resolved_incidents_are_forgotten_after_a_day() {
    let mut incidents = Incidents::new();
    notified(&mut incidents, 5, &blocked(60));
    notified(&mut incidents, 6, &steady());
    notified(&mut incidents, 6 + 24 * 60, &steady());
    assert!(incidents.is_empty());
}

#[test]
fn a_protection_without_live_jobs_is_an_orphan_after_a_grace_time() {
    let mut incidents = Incidents::new();
    let idle = TaskSnapshot {
        protected_until: Some(at(60)),
        idle_since: Some(at(0)),
        jobs: Jobs::Known(Vec::new()),
        ..fixture::task(1, "ecs-svc/1")
    };
    let mut claimed_at = |minute: i64| {
        let seen = ServiceSnapshot { tasks: vec![idle.clone()], ..snapshot(minute) };
        let idle_since = BTreeMap::from([(idle.id.clone(), at(2))]);
        let assessment =
            Assessment { snapshot: &seen, diagnosis: &steady(), idle_since: &idle_since, waiting_scale_in: None };
        advance(&mut incidents, assessment, &policy());
        claim(&mut incidents, at(minute)).len()
    };
    assert_eq!((claimed_at(11), claimed_at(12)), (0, 1), "ten minutes after a reconcile has seen it so");
    let lingers = TaskSnapshot { lingers_until: Some(at(15)), ..idle.clone() };
    let seen = ServiceSnapshot { tasks: vec![lingers, idle.clone()], ..snapshot(12) };
    assert_eq!(idle_tasks(&seen).count(), 1, "a task that lingers is no orphan");
}
