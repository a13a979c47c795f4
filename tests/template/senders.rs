//! Who may send to which queue, by the queue policies and the permissions of the template: those that must, and no
//! others.
//!
//! A request is decided as IAM does (IAM User Guide, "Policy evaluation logic"): a matching `Deny` wins, and within one
//! account an `Allow` of the queue or of the principal's own policies is enough. An AWS service has only the former.

use super::stack::Template;
use serde_json::Value;
use std::collections::BTreeMap;

const ROLE: &str = "FunctionRole.Arn";
const WORKER: &str = "arn:aws:iam::111122223333:role/worker";
const ADMINISTRATOR: &str = "arn:aws:iam::111122223333:user/administrator";

/// A request to send a message.
struct SendRequest {
    /// The service, if the sender is one.
    service: Option<&'static str>,
    /// Condition keys of the request.
    keys: BTreeMap<&'static str, &'static str>,
    /// Whether the sender's own policies allow it.
    own_allow: bool,
}

/// A role or user that may send to every queue, as far as its own policies go.
fn by(principal: &'static str) -> SendRequest {
    let keys =
        [("aws:PrincipalArn", principal), ("aws:PrincipalIsAWSService", "false"), ("aws:SecureTransport", "true")];
    SendRequest { service: None, keys: keys.into(), own_allow: true }
}

/// A service on behalf of a resource. It is no principal with an ARN (IAM User Guide, "AWS global condition context
/// keys").
fn by_service(service: &'static str, source: &'static str) -> SendRequest {
    let keys = [("aws:SourceArn", source), ("aws:PrincipalIsAWSService", "true"), ("aws:SecureTransport", "true")];
    SendRequest { service: Some(service), keys: keys.into(), own_allow: false }
}

/// One operator of a condition, for the operators that the template uses. A negated operator matches a missing key.
fn holds(operator: &str, key: &str, wanted: &str, request: &SendRequest) -> bool {
    let found = request.keys.get(key).copied();
    match operator {
        "Bool" | "ArnEquals" => found == Some(wanted),
        "ArnNotEquals" => found != Some(wanted),
        other => panic!("{other} is a new operator"),
    }
}

fn matches(statement: &Value, request: &SendRequest) -> bool {
    let action = statement["Action"].as_str().unwrap();
    let principal = match statement["Principal"]["Service"].as_str() {
        Some(service) => request.service == Some(service),
        None => statement["Principal"] == "*",
    };
    let conditions = statement["Condition"].as_object().unwrap();
    let mut keys = conditions.iter().flat_map(|(operator, keys)| {
        keys.as_object().unwrap().iter().map(move |(key, wanted)| (operator, key, wanted.as_str().unwrap()))
    });
    ["sqs:*", "sqs:SendMessage"].contains(&action)
        && principal
        && keys.all(|(operator, key, wanted)| holds(operator, key, wanted, request))
}

fn may_send(template: &Template, queue: &str, request: &SendRequest) -> bool {
    let policy = &template.properties(&format!("{queue}Policy"))["PolicyDocument"]["Statement"];
    let statements: Vec<&Value> =
        policy.as_array().unwrap().iter().filter(|statement| matches(statement, request)).collect();
    let any = |effect: &str| statements.iter().any(|statement| statement["Effect"] == effect);
    !any("Deny") && (request.own_allow || any("Allow"))
}

/// The queues that only the function fills.
const OWN_QUEUES: [&str; 4] = ["RecheckQueue", "AlertQueue", "InterruptedJobQueue", "DeadLetterQueue"];

#[test]
fn the_function_may_send_to_each_of_its_queues_over_tls() {
    let template = Template::with_everything();
    for queue in OWN_QUEUES {
        assert!(may_send(&template, queue, &by(ROLE)), "{queue}");
        let mut in_the_clear = by(ROLE);
        in_the_clear.keys.insert("aws:SecureTransport", "false");
        assert!(!may_send(&template, queue, &in_the_clear), "{queue}");
    }
}

/// Lambda sends an event that the function failed three times with the function's role (Lambda Developer Guide, "Adding
/// a dead-letter queue"), so its request looks like the function's.
#[test]
fn lambda_may_send_what_the_function_failed_to_the_dead_letter_queue() {
    let template = Template::load();
    assert_eq!(template.properties("Function")["DeadLetterQueue"]["TargetArn"], "DeadLetterQueue.Arn");
    assert!(may_send(&template, "DeadLetterQueue", &by(ROLE)));
}

#[test]
fn event_bridge_may_send_undelivered_stops_to_the_dead_letter_queue_and_nothing_else_anywhere() {
    let template = Template::with_everything();
    let events = "events.amazonaws.com";
    assert!(may_send(&template, "DeadLetterQueue", &by_service(events, "FunctionTaskStopped.Arn")));
    for source in ["FunctionServiceEvents.Arn", "arn:aws:events:eu-west-1:111122223333:rule/another"] {
        assert!(!may_send(&template, "DeadLetterQueue", &by_service(events, source)), "{source}");
    }
    for queue in ["RecheckQueue", "AlertQueue", "InterruptedJobQueue"] {
        assert!(!may_send(&template, queue, &by_service(events, "FunctionTaskStopped.Arn")), "{queue}");
    }
}

/// SQS moves a message by the redrive policy of its queue. That is no request to SendMessage, and AWS asks for no statement
/// in the policy of the dead-letter queue (SQS Developer Guide, "Using dead-letter queues in Amazon SQS"). The statement
/// about the function concerns only requests of a role or a user, so it does not forbid this either.
#[test]
fn sqs_may_move_messages_to_the_dead_letter_queue() {
    let template = Template::load();
    for queue in ["JobQueue", "RecheckQueue"] {
        let redrive = &template.properties(queue)["RedrivePolicy"];
        assert_eq!(redrive["deadLetterTargetArn"], "DeadLetterQueue.Arn", "{queue}");
    }
    assert!(
        template.properties("DeadLetterQueue").get("RedriveAllowPolicy").is_none(),
        "it would name its own sources"
    );
    let by_sqs = by_service("sqs.amazonaws.com", "JobQueue.Arn");
    let policy = &template.properties("DeadLetterQueuePolicy")["PolicyDocument"]["Statement"];
    let denied = |statement: &&Value| statement["Effect"] == "Deny" && matches(statement, &by_sqs);
    assert_eq!(policy.as_array().unwrap().iter().filter(denied).count(), 0);
}

#[test]
fn no_other_role_user_or_service_may_send_to_a_queue_that_only_the_function_fills() {
    let template = Template::with_everything();
    for queue in OWN_QUEUES {
        for principal in [WORKER, ADMINISTRATOR] {
            assert!(!may_send(&template, queue, &by(principal)), "{principal} to {queue}");
        }
        for service in ["sns.amazonaws.com", "s3.amazonaws.com", "scheduler.amazonaws.com"] {
            let request = by_service(service, "arn:aws:sns:eu-west-1:111122223333:another");
            assert!(!may_send(&template, queue, &request), "{service} to {queue}");
        }
    }
}

#[test]
fn workers_may_send_to_the_job_queue() {
    assert!(may_send(&Template::load(), "JobQueue", &by(WORKER)));
}

/// Readers need permissions of their own; the policies take none away.
#[test]
fn no_policy_keeps_a_reader_from_a_queue() {
    let template = Template::with_everything();
    for queue in OWN_QUEUES {
        let policy = &template.properties(&format!("{queue}Policy"))["PolicyDocument"]["Statement"];
        for statement in policy.as_array().unwrap() {
            let only_tls = statement["Sid"] == "OnlyOverTls";
            assert!(only_tls || statement["Action"] == "sqs:SendMessage", "{queue}: {statement}");
        }
    }
}
