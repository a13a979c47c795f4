//! Statements of the scenario language: their effect on a Region, and that expectations can fail.

use ecs_sim::control_plane::Variants;
use ecs_sim::region::{RECHECK_QUEUE, Region, SharedRegion};
use ecs_sim::scenario::{InProcess, Scenario, Silent, run};

/// Runs a scenario; returns its result and the Region afterwards.
async fn outcome(text: &str) -> (Result<(), String>, SharedRegion) {
    let scenario = Scenario::parse("made up", text).unwrap();
    let region = SharedRegion::new(Region::for_scenario(Variants::default()));
    let mut function = InProcess::new(&region, scenario.settings()).unwrap();
    let ran = run(&scenario, region.clone(), &mut function, &mut Silent).await;
    (ran.map(drop).map_err(|failure| failure.to_string()), region)
}

#[tokio::test]
async fn an_expectation_that_does_not_hold_fails_with_its_line() {
    for (text, expected) in [
        ("expect web desired 3", "1: desired count of web: 2, not 3"),
        ("expect api desired 3", "1: there is no service `api`"),
        ("expect 1 call of UpdateService", "1: calls of UpdateService: 0, not 1"),
        ("job j starts on a\nexpect 0 calls", "2: calls of UpdateTaskProtection: 1, not 0"),
        ("expect 1 interrupted", "1: interrupted jobs: 0, not 1"),
        ("expect mail anything", "1: no line before this one expects an alert"),
        (
            "job j starts on a\ncrash a\nexpect alert job-interrupted opened web\nexpect mail cheese",
            "4: the email does not contain this text",
        ),
        ("job j starts on b to z", "1: there is no task `z` yet"),
    ] {
        let failure = outcome(text).await.0.unwrap_err();
        assert!(failure.starts_with(&format!("made up:{expected}")), "{failure}");
    }
}

#[tokio::test]
async fn a_fault_of_an_operation_passes_over_the_calls_of_others() {
    let (ran, region) = outcome("ecs fails 2 of UpdateService\necs denies 1\nstatus of web\nexpect answer /error/code ecs-failed\nstatus of web\nexpect answer /status/services/0/rolloutStatus steady").await;
    assert_eq!(ran, Ok(()));
    assert_eq!(region.lock().faults_of["UpdateService"].len(), 2);
    let (_, region) = outcome("ecs fails 2 of UpdateService\necs recovers").await;
    assert!(region.lock().faults_of.is_empty());
}

#[tokio::test]
async fn rechecks_that_are_lost_are_those_that_wait() {
    let waiting = async |text: &str| {
        let (ran, region) = outcome(text).await;
        assert_eq!(ran, Ok(()));
        let region = region.lock();
        region.queues.messages(RECHECK_QUEUE).unwrap().len()
    };
    let scenario = "job j starts on a\ndeploy web\nadvance 1m\n";
    assert_eq!(waiting(scenario).await, 1);
    assert_eq!(waiting(&format!("{scenario}lose rechecks")).await, 0);
}

#[tokio::test]
async fn a_change_right_before_a_call_happens_once() {
    let scenario = "
        scale web to 4 before DescribeServices
        expect web desired 2
        status of web
        expect answer /status/services/0/taskCounts/desired 4
        scale web to 2
        status of web
        expect web desired 2
    ";
    assert_eq!(outcome(scenario).await.0, Ok(()));
}

#[tokio::test]
async fn a_job_on_each_of_several_tasks_is_as_many_jobs_in_one_batch() {
    let scenario = "
        service web desired 30
        job j starts on a to ad for 60m
        expect 3 calls
        expect ad protected for 60m
        job j-c finishes
        expect c unprotected
        job j finishes on d to ad
        expect ad unprotected
        expect b protected
    ";
    assert_eq!(outcome(scenario).await.0, Ok(()));
}

#[tokio::test]
async fn lost_events_are_not_delivered_and_later_ones_are() {
    let scenario = "
        job j starts on a for 60m
        events are lost
        crash a
        advance 5m
        expect no alert
        events are delivered
        job k starts on b for 60m
        crash b
        expect alert job-interrupted opened web
        expect mail \"k\"
    ";
    assert_eq!(outcome(scenario).await.0, Ok(()));
}
