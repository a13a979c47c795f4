//! Lambda's `bootstrap`: reads the environment, connects the adapters to the function and starts the runtime.
//! It holds no logic.

use async_trait::async_trait;
use aws_config::SdkConfig;
use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use taskhold::aws;
use taskhold::aws::alerts::AwsAlertSink;
use taskhold::aws::autoscaling::AwsAutoscaling;
use taskhold::aws::ecs::AwsEcs;
use taskhold::aws::sqs::AwsQueue;
use taskhold::aws::store;
use taskhold::aws::trust::Variables;
use taskhold::clock::Clock;
use taskhold::config::settings::Config;
use taskhold::lambda::function::{Function, FunctionError, Parts, Response};
use taskhold::task::rate_limit::RateLimit;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The system's clock.
#[derive(Debug, Default)]
struct SystemClock {
    /// How far the time of a scenario is ahead of the system's.
    #[cfg(feature = "simulated-clock")]
    ahead_ms: std::sync::atomic::AtomicI64,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's time")]
    fn system_now() -> Timestamp {
        Timestamp::now()
    }
}

#[async_trait]
impl Clock for SystemClock {
    #[cfg(not(feature = "simulated-clock"))]
    fn now(&self) -> Timestamp {
        Self::system_now()
    }

    #[cfg(feature = "simulated-clock")]
    fn now(&self) -> Timestamp {
        simulated_clock::now(self)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that waits")]
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// For scenarios, whose time is simulated: with `TASKHOLD_SIMULATED_TIMEOUT_SECONDS`, an invocation starts that long before
/// the deadline that the runtime API names. No release has this feature.
#[cfg(feature = "simulated-clock")]
mod simulated_clock {
    use super::{SystemClock, Variables};
    use jiff::{SignedDuration, Timestamp};
    use std::sync::OnceLock;
    use std::sync::atomic::Ordering;

    static TIMEOUT: OnceLock<SignedDuration> = OnceLock::new();

    /// Removes the variable, so that the settings do not reject it as unknown.
    pub(super) fn take_timeout(variables: &mut Variables) {
        if let Some(seconds) = variables.remove("TASKHOLD_SIMULATED_TIMEOUT_SECONDS") {
            let seconds = seconds.parse().expect("the simulator sets a whole number of seconds");
            let _ = TIMEOUT.set(SignedDuration::from_secs(seconds));
        }
    }

    pub(super) fn follow(clock: &SystemClock, deadline: Timestamp) {
        if let Some(timeout) = TIMEOUT.get() {
            let ahead_ms = (deadline - *timeout).as_millisecond() - SystemClock::system_now().as_millisecond();
            clock.ahead_ms.store(ahead_ms, Ordering::Relaxed);
        }
    }

    pub(super) fn now(clock: &SystemClock) -> Timestamp {
        SystemClock::system_now() + SignedDuration::from_millis(clock.ahead_ms.load(Ordering::Relaxed))
    }
}

#[tokio::main(flavor = "local")]
async fn main() -> ExitCode {
    // Spawned as a local task: waking a local task only pushes it onto a queue, while waking the runtime's
    // main future costs a system call.
    tokio::task::spawn_local(run()).await.unwrap_or(ExitCode::FAILURE)
}

async fn run() -> ExitCode {
    log_as_json();
    let (config, sdk) = match start().await {
        Ok(started) => started,
        Err(problems) => {
            tracing::error!(%problems, "taskhold cannot start");
            return ExitCode::FAILURE;
        }
    };
    let clock = Arc::new(SystemClock::default());
    let records = store::records(&sdk, config.store_table.clone(), clock.clone());
    let alerts = AwsAlertSink::new(&sdk, config.alert_topic_arn.clone(), config.alert_queue_url.clone());
    let queue = |url: &String| Arc::new(AwsQueue::new(&sdk, url.clone()));
    let function = Function::new(Parts {
        ecs: Arc::new(AwsEcs::new(&sdk)),
        autoscaling: Arc::new(AwsAutoscaling::new(&sdk)),
        task_records: records.tasks,
        service_records: records.services,
        alerts: Arc::new(alerts),
        dead_letters: config.dead_letter_queue_url.as_ref().map(|url| queue(url) as _),
        clock: clock.clone(),
        rechecks: config.recheck_queue_url.as_ref().map(|url| queue(url) as _),
        interrupted: config.interrupted_queue_url.as_ref().map(|url| queue(url) as _),
        config,
        rate_limit: RateLimit::default(),
    });
    let service = service_fn(|event: LambdaEvent<Box<RawValue>>| invoke(&function, &clock, event));
    match lambda_runtime::run(service).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the runtime ended");
            ExitCode::FAILURE
        }
    }
}

async fn start() -> Result<(Config, SdkConfig), Box<dyn std::error::Error>> {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    #[cfg_attr(not(feature = "simulated-clock"), expect(unused_mut, reason = "only scenarios take one out"))]
    let mut variables: Variables = std::env::vars().collect();
    #[cfg(feature = "simulated-clock")]
    simulated_clock::take_timeout(&mut variables);
    let config = Config::from_variables(variables.clone())?;
    let sdk = aws::sdk_config(&variables, config.clusters.region()).await?;
    Ok((config, sdk))
}

/// Longest duration of an invocation (Lambda Developer Guide, "Lambda quotas": 900 seconds).
const INVOCATION_MS_MAX: i64 = 900_000;

/// Returns when the invocation ends. Lambda sends a Unix time in milliseconds. `cargo lambda watch` sends the
/// remaining milliseconds instead. A value of at most [`INVOCATION_MS_MAX`] must be such a duration: as a
/// time it would lie in the first quarter of an hour of 1970.
fn deadline(deadline_ms: u64, now: Timestamp) -> Timestamp {
    let deadline_ms = i64::try_from(deadline_ms).unwrap_or(i64::MAX);
    if deadline_ms <= INVOCATION_MS_MAX {
        return now + SignedDuration::from_millis(deadline_ms);
    }
    Timestamp::from_millisecond(deadline_ms).unwrap_or(Timestamp::MAX)
}

async fn invoke(
    function: &Function,
    clock: &SystemClock,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<Response, Diagnostic> {
    let deadline = deadline(event.context.deadline, SystemClock::system_now());
    #[cfg(feature = "simulated-clock")]
    simulated_clock::follow(clock, deadline);
    // Boxed, which also keeps the compiler from following one type through runtime, handler and SDK at once.
    let (response, counts) = function.handle(event.payload.get(), deadline).boxed_local().await.map_err(diagnostic)?;
    if let Some(line) = counts.metric_line(function.config().clusters.names(), clock.now()) {
        println!("{line}");
    }
    Ok(response)
}

/// What Lambda reports of a failed invocation: the problem, and not the name of a Rust type.
fn diagnostic(error: FunctionError) -> Diagnostic {
    Diagnostic { error_type: error.error_type().to_owned(), error_message: error.to_string() }
}

/// Logs to standard output, one JSON object per line. The level is Lambda's own setting
/// (`AWS_LAMBDA_LOG_LEVEL`), INFO by default. Dependencies log warnings and errors only.
fn log_as_json() {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").ok().and_then(|level| level.parse().ok());
    let level = level.unwrap_or(LevelFilter::INFO);
    let ours = Targets::new().with_default(LevelFilter::WARN).with_targets([("taskhold", level), ("bootstrap", level)]);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false);
    tracing_subscriber::registry().with(lines).with(ours).init();
}

#[cfg(test)]
mod tests {
    use super::*;
    use taskhold::task::outcome::Unsettled;

    #[test]
    fn a_deadline_is_a_moment_unless_no_moment_of_lambda_s_could_be_so_early() {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let moment = now + SignedDuration::from_secs(30);
        let deadline_ms = u64::try_from(moment.as_millisecond()).unwrap();
        assert_eq!(deadline(deadline_ms, now), moment);
        assert_eq!(deadline(600_000, now), now + SignedDuration::from_mins(10));
        assert_eq!(deadline(u64::MAX, now), Timestamp::MAX);
    }

    #[test]
    fn a_failed_invocation_reports_the_name_of_its_problem() {
        let stop = FunctionError::Stop("t".to_owned(), Unsettled::Unanswered);
        let reconcile = FunctionError::Reconcile("s".to_owned(), Unsettled::Unanswered);
        for (error, name, text) in [
            (stop, "TaskNotReconciled", "could not close the jobs of stopping task `t`"),
            (reconcile, "ServiceNotReconciled", "could not reconcile service `s`"),
        ] {
            let Diagnostic { error_type, error_message } = diagnostic(error);
            assert!(error_type == name && error_message.starts_with(text), "{error_type}: {error_message}");
        }
    }
}
