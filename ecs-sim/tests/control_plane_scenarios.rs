//! Statements of the scenario language that change services, run with the function in process.

use ecs_sim::control_plane::Variants;
use ecs_sim::region::{Region, SharedRegion};
use ecs_sim::scenario::{InProcess, Scenario, Silent, run};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Runs a scenario under these variants of AWS. Nothing in process waits.
fn tell(text: &str, variants: Variants) -> Result<(), String> {
    let scenario = Scenario::parse("a scenario", &format!("mute alerts\n{text}")).map_err(|error| error.to_string())?;
    let region = SharedRegion::new(Region::for_scenario(variants));
    let mut function = InProcess::new(&region, scenario.settings()).map_err(|error| error.to_string())?;
    let mut observer = Silent;
    let mut running = pin!(run(&scenario, region, &mut function, &mut observer));
    match running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(running) => running.map(drop).map_err(|failure| failure.to_string()),
        Poll::Pending => Err("the scenario waits for something".to_owned()),
    }
}

fn holds(text: &str) {
    for variants in Variants::all() {
        if let Err(problem) = tell(text, variants) {
            panic!("{variants}: {problem}");
        }
    }
}

#[test]
fn a_protected_blue_task_holds_up_every_kind_of_deployment_until_it_releases_itself() {
    for kind in [
        "strategy rolling",
        "strategy blue-green bake 10m",
        "strategy linear",
        "strategy canary bake 1h",
        "controller code-deploy",
        "controller external bake 2m",
    ] {
        holds(&format!(
            "service web desired 2 {kind} tag aws:cloudformation:stack-name=video
             protect a for 5h
             deploy web
             advance 2h
             expect a running
             expect web deploying
             expect 2 deployments of web
             release a
             advance 10m
             expect a stopped
             expect 1 deployment of web
             expect web steady"
        ));
    }
}

#[test]
fn a_job_protects_its_task_also_in_a_blue_green_deployment() {
    holds(
        "service web desired 2 strategy blue-green
         job j-1 starts on a for 3h
         deploy web
         advance 1h
         expect a protected
         expect web deploying
         job j-1 finishes
         advance 10m
         expect a stopped
         expect web steady",
    );
}

#[test]
fn a_failed_deployment_leaves_the_old_tasks_and_one_that_is_rolled_back_replaces_them() {
    holds(
        "service web desired 2
         deploy web
         deployment of web fails
         advance 10m
         expect a running
         expect web deploying
         expect 2 deployments of web",
    );
    holds(
        "service web desired 2
         deploy web
         deployment of web fails and rolls back
         advance 15m
         expect a stopped
         expect web steady",
    );
}

#[test]
fn a_rebalancing_waits_for_tasks_that_protect_themselves() {
    holds(
        "service web desired 2
         protect a for 30m
         protect b
         rebalance web
         advance 20m
         expect web deploying
         advance 20m
         expect a stopped
         expect b running
         expect web steady",
    );
}

#[test]
fn a_deleted_service_goes_when_its_protected_tasks_do() {
    holds(
        "service web desired 2
         protect a for 1h
         delete web
         advance 30m
         expect a running
         expect b stopped
         advance 40m
         expect a stopped",
    );
}

#[test]
fn a_protection_that_a_task_sets_itself_is_no_call_of_the_function() {
    holds("protect a for 90m\nexpect a protected for 90m\nrelease a\nexpect a unprotected\nexpect 0 calls");
}

#[test]
fn a_refusal_of_ecs_fails_the_line() {
    for (text, problem) in [
        ("service web desired 1\nscale web to 0\nadvance 10m\nprotect a", "ECS refuses to protect a: MISSING"),
        ("deployment of web fails", "no deployment without running tasks is in progress"),
        ("service web desired 1\nrebalance web", "at least two tasks"),
        ("delete web\nadvance 1d\nexpect web steady", "there is no service `web`"),
    ] {
        let found = tell(text, Variants::default()).expect_err(text);
        assert!(found.contains(problem), "{text}: {found}");
    }
}
