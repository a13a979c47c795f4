//! Refusals and remediations that are too large for a scenario of tests/scenarios, or that need what the real
//! function on one machine lacks: a clock that is exact to the second, and a state store that survives the
//! function's death.

use crate::in_process::{holds, parsed, play};
use ecs_sim::control_plane::Variants;
use ecs_sim::scenario::Silent;

#[test]
fn five_hundred_refusals_are_one_incident_and_a_call_for_each_ten_at_each_reconcile() {
    let scenario = "
        set TASKHOLD_REMEDIATIONS release-idle
        service web desired 500 tag taskhold:policy=release-idle tag taskhold:managed=true
        job old starts on a to sf for 120m      # 500 tasks
        expect 50 calls
        deploy web
        advance 1m
        job new starts on sg to all for 120m    # the 500 that are to replace them
        expect alert protection-refused opened web
        expect mail 500 busy tasks unprotected
        expect 50 calls
        advance 59s                             # one reconcile
        expect 50 calls
        expect 0 dead-lettered
        advance 9m
        expect alert deployment-blocked opened web
        expect 200 calls
        job old-a finishes                      # one release, and all are asked for
        expect 51 calls
        advance 10m
        expect no alert
    ";
    let scenario = parsed("a storm", scenario);
    let all = Variants::all();
    for variants in [all[0], all[all.len() - 1]] {
        play(&scenario, variants, &mut Silent).unwrap();
    }
}

#[test]
fn refused_protection_is_requested_a_second_after_a_blocking_protection_has_ended_without_an_event() {
    holds(
        "
        service web desired 1
        job j-1 starts on a for 29m
        deploy web
        advance 1m
        job j-2 starts on b for 120m
        mute alerts
        events are lost
        advance 28m
        expect b unprotected
        advance 1s
        expect b protected for 91m
        ",
    );
}

#[test]
fn an_idle_task_is_released_when_its_grace_is_over_and_not_a_second_before() {
    holds(
        "
        set TASKHOLD_REMEDIATIONS release-idle
        set TASKHOLD_RELEASE_GRACE_MINUTES 7
        service web desired 1 tag taskhold:policy=release-idle tag taskhold:managed=true
        job j-1 starts on a for 60m
        job j-1 finishes
        protect a for 150m
        advance 20m                             # idle by the state store for long, and nothing has reconciled it yet
        deploy web
        mute alerts
        advance 6m59s
        expect a protected
        advance 1s
        expect a unprotected
        ",
    );
}

#[test]
fn a_second_raise_comes_when_the_cool_down_is_over_and_not_a_second_before() {
    holds(
        "
        needs refusal=outnumbered
        set TASKHOLD_REMEDIATIONS raise-desired-count
        set TASKHOLD_RAISE_COOL_DOWN_MINUTES 20
        service web desired 1 tag taskhold:policy=raise-desired-count tag taskhold:max-desired-count=5
        job j-1 starts on a for 90m
        deploy web
        advance 1m
        job j-2 starts on b for 90m
        expect web desired 2
        advance 1m
        job j-3 starts on c for 90m
        mute alerts
        advance 18m59s
        expect web desired 2
        advance 1s
        expect web desired 3
        expect c protected
        ",
    );
}

/// The function stores its decision before it finishes, so that its death changes nothing.
#[test]
fn a_raise_is_put_back_though_the_function_died_in_it() {
    for (dies, calls) in [("before", 3), ("after", 2)] {
        holds(&format!(
            "
            needs refusal=outnumbered
            set TASKHOLD_REMEDIATIONS raise-desired-count
            service web desired 1 tag taskhold:policy=raise-desired-count tag taskhold:max-desired-count=3
            sweep every 5m
            job j-1 starts on a for 60m
            deploy web
            advance 1m
            function dies {dies} call of UpdateService
            job j-2 starts on b for 90m
            mute alerts
            advance 20m
            expect web desired 2
            expect b protected
            job j-1 finishes
            advance 10m
            expect web desired 1
            expect b protected
            expect web steady
            advance 1h
            expect {calls} calls of UpdateService
            "
        ));
    }
}

#[test]
fn an_interruption_is_sent_once_although_the_function_died_during_it() {
    for dies in ["before", "after"] {
        holds(&format!(
            "
            sweep every 5m
            job j-1 starts on a for 60m
            advance 1m
            function dies {dies} call of DescribeTasks
            crash a
            advance 20m
            expect alert job-interrupted opened web
            expect 1 interrupted
            advance 1h
            expect no alert
            expect 1 interrupted
            "
        ));
    }
}
