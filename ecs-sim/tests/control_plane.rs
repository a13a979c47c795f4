//! The rules of the control plane, through its public API only.

use crate::web_service::{Dice, MINUTE, PREFIX, WebService, code};
use ecs_sim::control_plane::{
    ControlPlane, DescribeServicesRequest, ErrorCode, HOLD_REPEAT_MS, LATE_STOP_DELAY_MS, Millis, ServiceSpec, Setup,
    SimulatedTask, TaskStatus, Variants,
};
use serde_json::{Value, json};

fn stage(desired: u32) -> WebService {
    WebService::new(Variants::default(), ServiceSpec::new("jobs", "web", desired))
}

fn stage_as(variants: &str, desired: u32) -> WebService {
    let variants = variants.parse().expect("variants");
    WebService::new(variants, ServiceSpec::new("jobs", "web", desired))
}

impl WebService {
    fn protect(&mut self, task: &str, minutes: i64) -> Value {
        let body = json!({"cluster": "jobs", "tasks": [task], "protectionEnabled": true, "expiresInMinutes": minutes});
        self.answer("UpdateTaskProtection", body)
    }

    fn release(&mut self, task: &str) -> Value {
        let body = json!({"cluster": "jobs", "tasks": [task], "protectionEnabled": false});
        self.answer("UpdateTaskProtection", body)
    }

    fn task(&self, index: usize) -> &SimulatedTask {
        self.ecs.task(&self.tasks[index]).expect("a task that is remembered")
    }

    fn event_names(&mut self) -> Vec<String> {
        self.ecs.take_events().iter().map(event_name).collect()
    }
}

fn event_name(event: &Value) -> String {
    let detail = &event["detail"];
    let name = detail["eventName"].as_str().map(str::to_owned);
    let task = || format!("{} {}", detail["desiredStatus"], detail["lastStatus"]).replace('"', "");
    name.unwrap_or_else(task)
}

fn reason(answer: &Value) -> &str {
    answer["failures"][0]["reason"].as_str().unwrap_or("granted")
}

// The protection API.

#[test]
fn every_call_resets_the_expiry_also_to_an_earlier_one() {
    let mut stage = stage(1);
    let task = stage.tasks[0].clone();
    stage.protect(&task, 2880);
    stage.protect(&task, 1);
    stage.advance(MINUTE);
    assert!(!stage.task(0).is_protected());
    stage.protect(&task, 1);
    stage.protect(&task, 3);
    stage.advance(2 * MINUTE);
    assert!(stage.task(0).is_protected());
}

#[test]
fn unknown_stopping_and_stopped_tasks_are_missing() {
    let mut stage = stage(1);
    assert_eq!(reason(&stage.protect("0123456789abcdef0123456789abcdef", 5)), "MISSING");
    let task = stage.tasks[0].clone();
    stage.ecs.stop_task(&task).unwrap();
    assert_eq!(reason(&stage.protect(&task, 5)), "MISSING");
    stage.advance(MINUTE);
    assert_eq!(stage.task(0).last_status, TaskStatus::Stopped);
    assert_eq!(reason(&stage.release(&task)), "MISSING");
}

#[test]
fn one_bad_task_does_not_keep_the_others_from_protection() {
    let mut stage = stage(2);
    let body = json!({"cluster": "jobs", "tasks": [stage.tasks[0], "gone", stage.tasks[1]], "protectionEnabled": true});
    let answer = stage.answer("UpdateTaskProtection", body);
    assert_eq!(answer["protectedTasks"].as_array().map(Vec::len), Some(2));
    assert_eq!(answer["failures"], json!([{"arn": format!("{PREFIX}:task/jobs/gone"), "reason": "MISSING"}]));
}

#[test]
fn a_task_is_found_by_id_long_arn_and_short_arn_and_a_cluster_by_name_and_arn() {
    let mut stage = stage(1);
    let id = stage.tasks[0].clone();
    let forms = [id.clone(), format!("{PREFIX}:task/jobs/{id}"), format!("{PREFIX}:task/{id}")];
    for cluster in ["jobs".to_owned(), format!("{PREFIX}:cluster/jobs")] {
        for task in &forms {
            let body = json!({"cluster": cluster, "tasks": [task], "protectionEnabled": true});
            assert_eq!(reason(&stage.answer("UpdateTaskProtection", body)), "granted");
        }
    }
    let elsewhere = format!("{PREFIX}:task/other/{id}");
    assert_eq!(reason(&stage.protect(&elsewhere, 5)), "MISSING");
    let foreign = format!("arn:aws:ecs:eu-west-1:999999999999:task/jobs/{id}");
    let failure = stage.protect(&foreign, 5)["failures"][0].clone();
    assert_eq!(failure, json!({"arn": foreign, "reason": "MISSING"}));
}

#[test]
fn the_short_form_of_arns_is_used_in_protection_answers_only() {
    let mut stage = stage_as("arn=short", 1);
    let id = stage.tasks[0].clone();
    let answer = stage.protect(&id, 5);
    assert_eq!(answer["protectedTasks"][0]["taskArn"], format!("{PREFIX}:task/{id}"));
    let failure = stage.protect("gone", 5)["failures"][0]["arn"].clone();
    assert_eq!(failure, format!("{PREFIX}:task/gone"));
    let tasks = stage.answer("ListTasks", json!({"cluster": "jobs"}));
    assert_eq!(tasks["taskArns"][0], format!("{PREFIX}:task/jobs/{id}"));
}

#[test]
fn a_get_without_tasks_answers_for_every_task_of_a_service() {
    let mut stage = stage(3);
    stage.ecs.run_standalone_task("jobs").unwrap();
    let answer = stage.answer("GetTaskProtection", json!({"cluster": "jobs"}));
    assert_eq!(answer["protectedTasks"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_missing_cluster_means_default_and_an_unknown_one_is_not_found() {
    let mut stage = stage(1);
    assert_eq!(code(stage.call("ListTasks", json!({}))), ErrorCode::ClusterNotFound);
    stage.ecs.create_cluster("default");
    assert_eq!(stage.answer("ListTasks", json!({})), json!({"taskArns": []}));
    assert_eq!(code(stage.call("ListTasks", json!({"cluster": "nowhere"}))), ErrorCode::ClusterNotFound);
}

#[test]
fn a_call_in_excess_is_throttled_and_has_no_effect() {
    let mut ecs = ControlPlane::new(Setup::default());
    ecs.create_cluster("jobs");
    let task = ecs.create_service(ServiceSpec::new("jobs", "web", 1)).unwrap().remove(0);
    let get = json!({"cluster": "jobs", "tasks": [task]});
    for _ in 0..200 {
        ecs.call("GetTaskProtection", &get).unwrap();
    }
    let protect = json!({"cluster": "jobs", "tasks": [task], "protectionEnabled": true});
    let error = ecs.call("UpdateTaskProtection", &protect).unwrap_err();
    assert_eq!((error.code.as_str(), error.http_status()), ("ThrottlingException", 400));
    assert!(!ecs.task(&task).unwrap().is_protected());
    assert!(ecs.call("ListTasks", &json!({"cluster": "jobs"})).is_ok(), "another bucket");
    ecs.advance_to(ecs.now() + 13);
    ecs.call("UpdateTaskProtection", &protect).unwrap();
}

// Refusals.

#[test]
fn without_a_deployment_every_task_can_be_protected() {
    for variants in Variants::all() {
        let mut stage = WebService::new(variants, ServiceSpec::new("jobs", "web", 3));
        for task in stage.tasks.clone() {
            assert_eq!(reason(&stage.protect(&task, 60)), "granted", "{variants}");
            assert_eq!(reason(&stage.protect(&task, 60)), "granted", "{variants}");
        }
    }
}

#[test]
fn outnumbered_refuses_the_first_protection_beyond_the_desired_count() {
    let mut stage = stage_as("refusal=outnumbered", 2);
    for task in stage.tasks.clone() {
        stage.protect(&task, 60);
    }
    stage.deploy();
    stage.advance(MINUTE);
    let new: Vec<String> = stage.ecs.tasks_of("jobs", "web").skip(2).map(|task| task.id.clone()).collect();
    assert_eq!(reason(&stage.protect(&new[0], 60)), "DEPLOYMENT_BLOCKED");
    stage.ecs.set_desired_count("jobs", "web", 3).unwrap();
    assert_eq!(reason(&stage.protect(&new[0], 60)), "granted");
    assert_eq!(reason(&stage.protect(&new[1], 60)), "DEPLOYMENT_BLOCKED");
}

#[test]
fn blocked_refuses_as_soon_as_one_old_task_is_protected() {
    let mut stage = stage_as("refusal=blocked", 2);
    let tasks = stage.tasks.clone();
    stage.deploy();
    assert_eq!(reason(&stage.protect(&tasks[0], 60)), "granted");
    assert_eq!(reason(&stage.protect(&tasks[1], 60)), "DEPLOYMENT_BLOCKED");
    stage.release(&tasks[0]);
    assert_eq!(reason(&stage.protect(&tasks[1], 60)), "granted");
}

#[test]
fn a_renewal_that_outnumbers_nothing_is_granted_even_where_renewals_are_refused() {
    let mut stage = stage_as("refusal=outnumbered renewal=refused", 2);
    let tasks = stage.tasks.clone();
    for task in &tasks {
        stage.protect(task, 60);
    }
    stage.deploy();
    assert_eq!(reason(&stage.protect(&tasks[0], 60)), "granted");
    stage.ecs.set_desired_count("jobs", "web", 1).unwrap();
    assert_eq!(reason(&stage.protect(&tasks[0], 60)), "DEPLOYMENT_BLOCKED");
}

#[test]
fn a_refused_renewal_leaves_the_protection_that_there_is() {
    for refusal in ["refusal=outnumbered", "refusal=blocked"] {
        let mut stage = stage_as(&format!("{refusal} renewal=refused"), 2);
        for task in stage.tasks.clone() {
            stage.protect(&task, 10);
        }
        stage.deploy();
        stage.ecs.set_desired_count("jobs", "web", 1).unwrap();
        let task = stage.tasks[0].clone();
        assert_eq!(reason(&stage.protect(&task, 60)), "DEPLOYMENT_BLOCKED", "{refusal}");
        assert!(stage.task(0).is_protected());
        stage.advance(10 * MINUTE);
        assert!(!stage.task(0).is_protected());
    }
}

#[test]
fn a_granted_renewal_extends_the_protection_where_others_are_refused() {
    for refusal in ["refusal=outnumbered", "refusal=blocked"] {
        let mut stage = stage_as(&format!("{refusal} renewal=granted"), 2);
        for task in stage.tasks.clone() {
            stage.protect(&task, 10);
        }
        stage.deploy();
        stage.ecs.set_desired_count("jobs", "web", 1).unwrap();
        let task = stage.tasks[0].clone();
        assert_eq!(reason(&stage.protect(&task, 60)), "granted", "{refusal}");
        stage.advance(59 * MINUTE);
        assert!(stage.task(0).is_protected());
    }
}

#[test]
fn a_release_is_never_refused() {
    for variants in Variants::all() {
        let mut stage = WebService::new(variants, ServiceSpec::new("jobs", "web", 2));
        let tasks = stage.tasks.clone();
        for task in &tasks {
            stage.protect(task, 60);
        }
        stage.deploy();
        stage.ecs.set_desired_count("jobs", "web", 1).unwrap();
        for task in &tasks {
            assert_eq!(reason(&stage.release(task)), "granted", "{variants}");
        }
    }
}

// Deployments and scale-in.

#[test]
fn a_deployment_replaces_every_task_and_completes() {
    for variants in Variants::all() {
        let mut stage = WebService::new(variants, ServiceSpec::new("jobs", "web", 3));
        let id = stage.deploy();
        stage.advance(10 * MINUTE);
        let service = stage.service();
        assert_eq!(service["deployments"].as_array().map(Vec::len), Some(1), "{variants}");
        assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
        assert_eq!(service["deployments"][0]["id"], json!(id));
        assert!(stage.ecs.tasks_of("jobs", "web").all(|task| task.deployment.as_ref() == Some(&id)));
        assert_eq!(stage.ecs.tasks_of("jobs", "web").count(), 3);
    }
}

#[test]
fn a_deployment_is_reported_step_by_step_to_eventbridge_and_in_messages() {
    let mut stage = stage(1);
    let old = stage.tasks[0].clone();
    let id = stage.deploy();
    assert_eq!(stage.event_names(), ["SERVICE_DEPLOYMENT_IN_PROGRESS", "RUNNING PENDING", "TASKS_STARTED"]);
    stage.advance(30_000);
    assert_eq!(stage.event_names(), ["RUNNING RUNNING", "STOPPED RUNNING", "TASKS_STOPPED"]);
    stage.advance(10_000);
    assert_eq!(stage.event_names(), ["STOPPED STOPPED", "SERVICE_DEPLOYMENT_COMPLETED", "SERVICE_STEADY_STATE"]);
    let new = stage.ecs.tasks().last().expect("the new task").id.clone();
    let expected = [
        "(service web) has reached a steady state.".to_owned(),
        format!("(service web) (deployment {id}) deployment completed."),
        format!("(service web) has stopped 1 running tasks: (task {old})."),
        format!("(service web) has started 1 tasks: (task {new})."),
        "(service web) has reached a steady state.".to_owned(),
    ];
    assert_eq!(stage.messages(), expected);
    stage.advance(6 * 60 * MINUTE);
    assert_eq!(stage.event_names(), Vec::<String>::new(), "a steady service is silent");
}

#[test]
fn a_protected_task_of_the_old_deployment_stays_until_its_protection_ends() {
    for variants in Variants::all() {
        let mut stage = WebService::new(variants, ServiceSpec::new("jobs", "web", 2));
        let task = stage.tasks[0].clone();
        stage.protect(&task, 60);
        stage.deploy();
        stage.advance(59 * MINUTE);
        let statuses = (stage.task(0).desired_status, stage.ecs.tasks_of("jobs", "web").count());
        assert_eq!(statuses, (TaskStatus::Running, 3), "{variants}");
        assert_eq!(stage.service()["deployments"][0]["rolloutState"], "IN_PROGRESS");
        stage.advance(MINUTE + LATE_STOP_DELAY_MS + 10_000);
        assert_eq!(stage.task(0).last_status, TaskStatus::Stopped, "{variants}");
        assert_eq!(stage.service()["deployments"][0]["rolloutState"], "COMPLETED", "{variants}");
    }
}

#[test]
fn a_deployment_blocked_by_protection_says_so_in_the_captured_words() {
    let mut stage = stage(2);
    let old = stage.ecs.service("jobs", "web").unwrap().primary().id.clone();
    for task in stage.tasks.clone() {
        stage.protect(&task, 60);
    }
    stage.deploy();
    stage.advance(30_000);
    let scale_in =
        format!("(service web, taskSet {old}) was unable to scale in due to (reason 2 tasks under protection)");
    assert_eq!(stage.messages()[0], scale_in);
    stage.advance(HOLD_REPEAT_MS);
    let messages = stage.messages();
    let steady = format!(
        "(service web) was unable to reach steady state because (taskSet {old}) was unable to scale in due to (reason 2 tasks under protection)"
    );
    assert_eq!(messages[..2], [scale_in, steady]);
    stage.advance(60 * MINUTE);
    assert!(!stage.ecs.service("jobs", "web").unwrap().is_held_up());
    let after = stage.messages();
    stage.advance(60 * MINUTE);
    assert_eq!(stage.messages(), after, "nothing is repeated once it is over");
}

#[test]
fn the_protection_event_is_of_type_info_and_only_sent_in_that_variant() {
    let name = "TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION";
    for (variants, expected) in [("event=sent", 2), ("event=silent", 0)] {
        let mut stage = stage_as(variants, 1);
        let task = stage.tasks[0].clone();
        stage.protect(&task, 60);
        stage.deploy();
        stage.advance(30_000 + HOLD_REPEAT_MS);
        let events = stage.ecs.take_events();
        let held: Vec<&Value> = events.iter().filter(|event| event["detail"]["eventName"] == name).collect();
        assert_eq!(held.len(), expected, "{variants}");
        assert!(held.iter().all(|event| event["detail"]["eventType"] == "INFO"));
        assert!(stage.messages().iter().any(|message| message.contains("under protection")));
    }
}

#[test]
fn the_sixth_deployment_is_refused_in_the_known_words() {
    let mut stage = stage(5);
    for _ in 0..4 {
        let newest = stage.ecs.tasks().last().expect("a task").id.clone();
        assert_eq!(reason(&stage.protect(&newest, 2880)), "granted");
        stage.deploy();
        stage.advance(5 * MINUTE);
    }
    assert_eq!(stage.service()["deployments"].as_array().map(Vec::len), Some(5));
    let before = stage.service();
    let body = json!({"cluster": "jobs", "service": "web", "forceNewDeployment": true, "desiredCount": 9});
    let error = stage.call("UpdateService", body).unwrap_err();
    assert_eq!(error.message, "5 active deployments exist, unable to create new deployment");
    assert_eq!(stage.service(), before, "a refused call has no effect");
}

#[test]
fn scale_in_stops_unprotected_tasks_newest_first_and_waits_for_protected_ones() {
    let mut stage = stage(4);
    let tasks = stage.tasks.clone();
    stage.protect(&tasks[3], 60);
    stage.ecs.set_desired_count("jobs", "web", 2).unwrap();
    stage.advance(MINUTE);
    let alive: Vec<&str> = stage.ecs.tasks_of("jobs", "web").map(|task| task.id.as_str()).collect();
    assert_eq!(alive, [&tasks[0], &tasks[3]]);
    stage.protect(&tasks[0], 60);
    stage.ecs.set_desired_count("jobs", "web", 1).unwrap();
    assert!(stage.ecs.service("jobs", "web").unwrap().is_held_up());
    assert!(stage.messages()[0].ends_with("was unable to scale in due to (reason 2 tasks under protection)"));
    stage.release(&tasks[3]);
    stage.advance(MINUTE);
    assert_eq!(stage.ecs.tasks_of("jobs", "web").count(), 1);
    assert!(stage.task(0).is_live());
    let forgotten = stage.task(1).stopped_at.unwrap() + 60 * MINUTE;
    stage.release(&tasks[0]);
    assert_eq!(stage.ecs.next_due(), Some(forgotten), "nothing is repeated before");
}

#[test]
fn a_late_scheduler_leaves_time_to_protect_a_task_that_it_could_stop() {
    let mut at_once = stage_as("stop=at-once", 2);
    let mut late = stage_as("stop=late", 2);
    for stage in [&mut at_once, &mut late] {
        stage.ecs.set_desired_count("jobs", "web", 1).unwrap();
        stage.advance(LATE_STOP_DELAY_MS - 1);
    }
    let task = late.tasks[1].clone();
    assert_eq!(reason(&at_once.protect(&task, 60)), "MISSING");
    assert_eq!(reason(&late.protect(&task, 60)), "granted");
    late.advance(LATE_STOP_DELAY_MS - 1);
    assert!(late.task(0).is_live(), "it is the other task's turn, but its time begins anew");
    late.advance(1);
    assert!(!late.task(0).is_live());
}

#[test]
fn a_crashed_or_stopped_task_is_replaced_although_it_was_protected() {
    let mut stage = stage(2);
    for task in stage.tasks.clone() {
        stage.protect(&task, 60);
    }
    let (crashed, stopped) = (stage.tasks[0].clone(), stage.tasks[1].clone());
    stage.ecs.crash_task(&crashed).unwrap();
    stage.ecs.stop_task(&stopped).unwrap();
    stage.advance(MINUTE);
    let codes: Vec<String> = [0, 1].map(|index| format!("{:?}", stage.task(index).stop_code)).to_vec();
    assert_eq!(codes, ["Some(EssentialContainerExited)", "Some(UserInitiated)"]);
    assert_eq!([stage.task(0).exit_code, stage.task(1).exit_code], [Some(1), Some(0)]);
    assert_eq!(stage.service()["runningCount"], 2);
    assert!(stage.ecs.service("jobs", "web").unwrap().steady);
}

#[test]
fn a_task_that_is_stopped_while_pending_never_runs() {
    let mut stage = stage(1);
    stage.ecs.create_service(ServiceSpec::new("jobs", "empty", 0)).unwrap();
    stage.ecs.set_desired_count("jobs", "empty", 1).unwrap();
    let task = stage.ecs.tasks().last().expect("the task").id.clone();
    stage.ecs.set_desired_count("jobs", "empty", 0).unwrap();
    stage.advance(10 * MINUTE);
    let task = stage.ecs.task(&task).unwrap();
    assert_eq!((task.last_status, task.started_at, task.exit_code), (TaskStatus::Stopped, None, None));
}

#[test]
fn a_deployment_of_no_tasks_completes_at_once() {
    let mut stage = stage(0);
    stage.deploy();
    assert_eq!(stage.service()["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(stage.service()["deployments"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_spot_interruption_gives_two_minutes() {
    let mut stage = stage(1);
    let task = stage.tasks[0].clone();
    stage.ecs.interrupt_task(&task).unwrap();
    stage.advance(2 * MINUTE - 1);
    assert_eq!((stage.task(0).desired_status, stage.task(0).last_status), (TaskStatus::Stopped, TaskStatus::Running));
    stage.advance(1);
    assert_eq!(stage.task(0).last_status, TaskStatus::Stopped);
}

#[test]
fn a_failed_host_stops_its_task_in_five_events() {
    let mut stage = stage(1);
    let task = stage.tasks[0].clone();
    stage.ecs.take_events();
    stage.ecs.lose_host(&task).unwrap();
    stage.advance(MINUTE);
    let of_task = |event: &Value| event["resources"][0].as_str().is_some_and(|arn| arn.ends_with(&task));
    let events = stage.ecs.take_events().into_iter().filter(of_task);
    let seen: Vec<[String; 3]> = events
        .map(|event| ["lastStatus", "desiredStatus", "stopCode"].map(|name| event["detail"][name].to_string()))
        .collect();
    let expected = ["RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"];
    let expected = expected.map(|last| [last, "STOPPED", "InfrastructureHealth"].map(|word| format!("\"{word}\"")));
    assert_eq!(seen, expected);
}

#[test]
fn a_stopped_task_is_remembered_for_an_hour() {
    let mut stage = stage(1);
    let task = stage.tasks[0].clone();
    stage.ecs.stop_task(&task).unwrap();
    stage.advance(10_000 + 60 * MINUTE - 1);
    let body = json!({"cluster": "jobs", "tasks": [task]});
    let described = stage.answer("DescribeTasks", body.clone());
    assert_eq!(described["tasks"][0]["containers"][0]["exitCode"], 0);
    assert_eq!(described["tasks"][0]["stoppedReason"], "Task stopped by user");
    let listed = stage.answer("ListTasks", json!({"cluster": "jobs", "desiredStatus": "STOPPED"}));
    assert_eq!(listed["taskArns"].as_array().map(Vec::len), Some(1));
    stage.advance(1);
    let failures = json!([{"arn": format!("{PREFIX}:task/jobs/{task}"), "reason": "MISSING"}]);
    assert_eq!(stage.answer("DescribeTasks", body), json!({"tasks": [], "failures": failures}));
}

// The other operations.

#[test]
fn a_service_is_described_with_its_tags_deployments_and_counts() {
    let mut spec = ServiceSpec::new("jobs", "web", 2);
    spec.tags.insert("taskhold:policy".to_owned(), "notify".to_owned());
    let mut stage = WebService::new(Variants::default(), spec);
    let id = stage.deploy();
    let service = stage.service();
    assert_eq!(service["tags"], json!([{"key": "taskhold:policy", "value": "notify"}]));
    assert_eq!(service["serviceArn"], format!("{PREFIX}:service/jobs/web"));
    assert_eq!((&service["runningCount"], &service["pendingCount"]), (&json!(2), &json!(2)));
    let primary = &service["deployments"][0];
    assert_eq!((&primary["status"], &primary["id"]), (&json!("PRIMARY"), &json!(id)));
    assert_eq!((&primary["desiredCount"], &primary["pendingCount"]), (&json!(2), &json!(2)));
    let old = &service["deployments"][1];
    assert_eq!((&old["status"], &old["runningCount"]), (&json!("ACTIVE"), &json!(2)));
    let request =
        DescribeServicesRequest { cluster: Some("jobs".to_owned()), services: vec!["web".to_owned()], include: vec![] };
    assert_eq!(stage.ecs.describe_services(request).unwrap().services[0].tags, None, "only if asked for");
}

#[test]
fn a_service_keeps_its_last_hundred_messages() {
    let mut stage = stage(1);
    for _ in 0..60 {
        let task = stage.ecs.tasks().last().expect("a task").id.clone();
        stage.ecs.crash_task(&task).unwrap();
        stage.advance(2 * MINUTE);
    }
    assert_eq!(stage.messages().len(), 100);
}

// EventBridge.

#[test]
fn a_stopped_task_is_reported_in_the_captured_shape() {
    let mut stage = stage(1);
    let task = stage.tasks[0].clone();
    let deployment = stage.ecs.service("jobs", "web").unwrap().primary().id.clone();
    stage.ecs.set_desired_count("jobs", "web", 0).unwrap();
    stage.advance(MINUTE);
    let events = stage.ecs.take_events();
    let stopped = events.iter().find(|event| event["detail"]["lastStatus"] == "STOPPED").expect("the event");
    let arn = format!("{PREFIX}:task/jobs/{task}");
    for (path, expected) in [
        ("/version", json!("0")),
        ("/detail-type", json!("ECS Task State Change")),
        ("/source", json!("aws.ecs")),
        ("/account", json!("111122223333")),
        ("/region", json!("eu-west-1")),
        ("/time", json!("2026-01-05T09:00:10Z")),
        ("/resources", json!([arn])),
        ("/detail/clusterArn", json!(format!("{PREFIX}:cluster/jobs"))),
        ("/detail/taskArn", json!(arn)),
        ("/detail/group", json!("service:web")),
        ("/detail/startedBy", json!(deployment)),
        ("/detail/desiredStatus", json!("STOPPED")),
        ("/detail/version", json!(3)),
        ("/detail/stopCode", json!("ServiceSchedulerInitiated")),
        ("/detail/stoppedReason", json!(format!("Scaling activity initiated by (deployment {deployment})"))),
        ("/detail/stoppingAt", json!("2026-01-05T09:00:00.000Z")),
        ("/detail/stoppedAt", json!("2026-01-05T09:00:10.000Z")),
        ("/detail/containers/0/exitCode", json!(0)),
    ] {
        assert_eq!(stopped.pointer(path), Some(&expected), "{path}");
    }
}

#[test]
fn a_deployment_is_reported_in_the_captured_shape() {
    let mut stage = stage(1);
    let id = stage.deploy();
    let event = stage.ecs.take_events().remove(0);
    assert_eq!(event["detail-type"], "ECS Deployment State Change");
    assert_eq!(event["resources"], json!([format!("{PREFIX}:service/jobs/web")]));
    let detail = json!({
        "eventType": "INFO",
        "eventName": "SERVICE_DEPLOYMENT_IN_PROGRESS",
        "clusterArn": format!("{PREFIX}:cluster/jobs"),
        "deploymentId": id,
        "updatedAt": "2026-01-05T09:00:00.000Z",
        "reason": format!("ECS deployment {id} in progress."),
    });
    assert_eq!(event["detail"], detail);
}

#[test]
fn identifiers_of_events_differ() {
    let mut stage = stage(5);
    stage.deploy();
    stage.advance(10 * MINUTE);
    let events = stage.ecs.take_events();
    let mut ids: Vec<String> = events.iter().map(|event| event["id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), events.len());
    assert!(stage.ecs.take_events().is_empty(), "each is handed out once");
}

#[test]
fn time_never_goes_back_and_the_next_change_is_known() {
    let mut stage = stage(1);
    let start = stage.ecs.now();
    assert_eq!(stage.ecs.next_due(), None);
    let task = stage.tasks[0].clone();
    stage.protect(&task, 5);
    stage.protect(&task, 7);
    assert_eq!(stage.ecs.next_due(), Some(start + 7 * MINUTE));
    stage.ecs.advance_to(start - MINUTE);
    assert_eq!(stage.ecs.now(), start);
    stage.release(&task);
    assert_eq!(stage.ecs.next_due(), None);
}

// Invariants: many short random lives, the same in every run.

/// One random act on the service, or none. Returns the task that the act itself, not the scheduler, stopped or freed.
fn act(stage: &mut WebService, dice: &mut Dice) -> Option<String> {
    let tasks: Vec<String> = stage.ecs.tasks_of("jobs", "web").map(|task| task.id.clone()).collect();
    let task = (!tasks.is_empty()).then(|| tasks[dice.roll(tasks.len())].clone());
    match (dice.roll(10), task) {
        (0..=3, Some(task)) => drop(stage.protect(&task, 1 + dice.roll(30) as i64)),
        (4..=5, Some(task)) => {
            stage.release(&task);
            return Some(task);
        }
        (6, _) => drop(stage.ecs.deploy("jobs", "web")),
        (7, _) => stage.ecs.set_desired_count("jobs", "web", dice.roll(5) as u32).expect("a count"),
        (8, Some(task)) => {
            stage.ecs.crash_task(&task).expect("a crash");
            return Some(task);
        }
        _ => {}
    }
    None
}

fn random_spec(dice: &mut Dice) -> ServiceSpec {
    ServiceSpec {
        minimum_healthy_percent: [0, 50, 100][dice.roll(3)],
        maximum_percent: [100, 150, 200][dice.roll(3)],
        ..ServiceSpec::new("jobs", "web", 1 + dice.roll(4) as u32)
    }
}

/// The scheduler's changes from `before` to `after` must keep the rules; `exempt` was changed by the act.
fn check_step(before: &ControlPlane, after: &ControlPlane, exempt: Option<&str>) {
    let service = after.service("jobs", "web").expect("the service");
    let total = |ecs: &ControlPlane| ecs.tasks_of("jobs", "web").count();
    let running = |ecs: &ControlPlane| {
        let is_running = |task: &&SimulatedTask| task.is_live() && task.last_status == TaskStatus::Running;
        let others = ecs.tasks_of("jobs", "web").filter(|task| Some(task.id.as_str()) != exempt);
        others.filter(is_running).count()
    };
    let is_stopped = |task: &&SimulatedTask| {
        Some(task.id.as_str()) != exempt && task.is_live() && !after.task(&task.id).is_some_and(SimulatedTask::is_live)
    };
    let stopped: Vec<&SimulatedTask> = before.tasks().filter(is_stopped).collect();
    for task in &stopped {
        let until = task.protected_until.unwrap_or(Millis::MIN);
        assert!(until <= after.now(), "protected task {} was stopped", task.id);
    }
    let lower = service.lower_bound() as usize;
    if exempt.is_none() && running(after) < lower {
        assert!(running(after) >= running(before), "fewer than the lower bound run");
    }
    let upper = service.upper_bound() as usize;
    assert!(total(after) <= upper.max(total(before)), "more than the upper bound");
}

#[test]
fn the_scheduler_never_stops_a_protected_task_and_keeps_within_its_bounds() {
    for variants in Variants::all() {
        for seed in 0..10 {
            println!("{variants} seed={seed}");
            let mut dice = Dice(seed);
            let mut stage = WebService::new(variants, random_spec(&mut dice));
            stage.live(&mut dice, 120_000, act, check_step);
        }
    }
}

#[test]
fn a_service_becomes_steady_once_it_is_left_alone() {
    for variants in Variants::all() {
        for seed in 0..10 {
            let mut dice = Dice(seed);
            // With no slack between the bounds a deployment cannot continue, nor can it in ECS.
            let spec = ServiceSpec { minimum_healthy_percent: 50, ..random_spec(&mut dice) };
            let spec = ServiceSpec { maximum_percent: 200, ..spec };
            let mut stage = WebService::new(variants, spec);
            for _ in 0..40 {
                act(&mut stage, &mut dice);
                stage.advance(dice.roll(120_000) as Millis);
            }
            stage.advance(3 * 60 * MINUTE);
            let service = stage.ecs.service("jobs", "web").expect("the service");
            assert!(service.steady, "{variants} seed={seed}");
            assert!(!service.is_held_up(), "{variants} seed={seed}");
            assert_eq!(stage.ecs.next_due(), None, "{variants} seed={seed}: stopped tasks are forgotten");
        }
    }
}

#[test]
fn one_leap_is_many_small_steps() {
    let live = |variants: Variants, seed: u64, step: Millis| {
        let mut dice = Dice(seed);
        let stage = WebService::new(variants, random_spec(&mut dice));
        stage.live_in_steps(&mut dice, 200_000, act, step)
    };
    for variants in Variants::all() {
        for seed in 0..5 {
            let leap = live(variants, seed, Millis::MAX / 4);
            assert_eq!(leap, live(variants, seed, 977), "{variants} seed={seed}");
        }
    }
}
