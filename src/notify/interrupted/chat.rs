//! The chat message of an interrupted task: the content of the email, shortened.

use crate::notify::chat::form::Form;
use crate::notify::chat::span::code;
use crate::notify::chat::{NAMES_CHARS_MAX, job, with_first_command};
use crate::notify::interrupted::email::{describe_command, subject};
use crate::notify::interrupted::{EVENT, InterruptionView, KIND, cause};
use crate::notify::words::{count, names_within, time};
use serde_json::{Value, json};

/// Maximum number of jobs; the email has more.
const JOBS_SHOWN_MAX: usize = 10;
const CONTAINERS_SHOWN_MAX: usize = 5;
const CONTAINER_CHARS_MAX: usize = 48;
/// For a `stopCode`.
const STOP_CODE_CHARS_MAX: usize = 48;
/// For ECS's `stoppedReason`.
const REASON_CHARS_MAX: usize = 300;

pub(crate) fn message(view: &InterruptionView<'_>) -> String {
    let see = "See how the task ended; ECS keeps it for about an hour:";
    let form = Form {
        incident: &view.incident(),
        kind: KIND,
        event: EVENT,
        at: view.what.at,
        title: title(view),
        description: description(view),
        next_steps: vec![view.advice().to_owned(), with_first_command(see, &[describe_command(view)], "the email has")],
        summary: subject(view),
        resources: view.service.iter().map(ToString::to_string).chain([view.task.to_string()]).collect(),
        context: context(view),
    };
    form.text()
}

fn title(view: &InterruptionView<'_>) -> String {
    let cluster = &view.task.cluster.name;
    let phrase = view.phrase();
    match &view.service {
        Some(service) => {
            let (service, cluster) = names_within((&service.name, cluster), NAMES_CHARS_MAX);
            format!("🔴 {} ({}): {phrase}", code(&service, NAMES_CHARS_MAX), code(&cluster, NAMES_CHARS_MAX))
        }
        None => format!("🔴 {}: {phrase}", code(cluster, NAMES_CHARS_MAX)),
    }
}

fn description(view: &InterruptionView<'_>) -> Vec<String> {
    let what = view.what;
    let mut lines = vec![format!("Noticed {}. {}", time(what.at), view.stage()), why(view)];
    lines.extend(what.stopped_reason.as_ref().map(|reason| format!("ECS says: {}", code(reason, REASON_CHARS_MAX))));
    lines.extend(exit_codes(view));
    lines.push(view.protection());
    lines.push("The jobs that were running, longest remaining first:".to_owned());
    lines.extend(view.jobs.iter().take(JOBS_SHOWN_MAX).map(|one| format!("• {}", job(one))));
    if view.jobs.len() > JOBS_SHOWN_MAX {
        lines.push(format!("• and {}", count(view.jobs.len() - JOBS_SHOWN_MAX, "more job")));
    }
    lines
}

fn why(view: &InterruptionView<'_>) -> String {
    let stop_code = view.what.stop_code.as_deref().map(|stop_code| code(stop_code, STOP_CODE_CHARS_MAX));
    match (cause(view.what), stop_code) {
        (Some(cause), Some(stop_code)) => format!("Why: {} ({stop_code}).", cause.plain),
        (_, Some(stop_code)) => format!("Why: a stopCode that taskhold does not know, {stop_code}."),
        (_, None) => "Why: ECS reports no stopCode.".to_owned(),
    }
}

fn exit_codes(view: &InterruptionView<'_>) -> Option<String> {
    let codes = &view.what.exit_codes;
    let shown = codes.iter().take(CONTAINERS_SHOWN_MAX);
    let mut shown: Vec<String> =
        shown.map(|(container, exit)| format!("{exit} of {}", code(container, CONTAINER_CHARS_MAX))).collect();
    if codes.len() > CONTAINERS_SHOWN_MAX {
        shown.push(format!("and of {}", count(codes.len() - CONTAINERS_SHOWN_MAX, "more container")));
    }
    (!codes.is_empty()).then(|| format!("Exit codes: {}.", shown.join(", ")))
}

fn context(view: &InterruptionView<'_>) -> Value {
    let cluster = &view.task.cluster;
    let mut context = json!({
        "event": EVENT.as_str(),
        "task": view.task.id,
        "cluster": cluster.name,
        "region": cluster.region,
        "account": cluster.account,
        "stage": view.what.stage,
        "at": crate::text::shown_time(view.what.at),
        "jobs": view.jobs.len().to_string(),
    });
    if let Some(service) = &view.service {
        context["service"] = json!(service.name);
    }
    context
}
