//! `ecs-sim serve`: ECS, SQS, SNS and Application Auto Scaling on this machine, in real time, and the function on request.

use super::error::CliError;
use super::options::Options;
use super::output::{say, text, written};
use crate::control_plane::{ServiceSpec, Setup};
use crate::http::{Backend, Server, ServerOptions, ServiceAnswer, ServiceCall, wall_clock};
use crate::play::Process;
use crate::region::{CLUSTER, JOB_QUEUE, Region, SharedRegion};
use crate::scenario::{Color, Style, Timeline, live};
use std::io::IsTerminal;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A Region whose clock is the machine's.
struct InRealTime(Region);

impl Backend for InRealTime {
    fn call(&mut self, call: ServiceCall) -> ServiceAnswer {
        self.0.advance_to(wall_clock());
        self.0.calls.clear();
        self.0.call(call)
    }
}

pub(super) async fn serve(options: &Options) -> Result<(), CliError> {
    let setup = Setup { now: wall_clock(), ..Setup::default() };
    let mut region = Region::new(setup);
    let services = match options.services.as_slice() {
        [] => vec![("transcode".to_owned(), 2)],
        services => services.to_vec(),
    };
    let first_service = services[0].0.clone();
    for (name, tasks) in services {
        region.ecs.create_service(ServiceSpec::new(CLUSTER, name, tasks))?;
    }
    let greeting = Greeting::of(&region, first_service);
    let unasked = ServerOptions::default();
    let server_options = ServerOptions {
        host: options.host.unwrap_or(unasked.host),
        port: options.port,
        cluster: CLUSTER.to_owned(),
        ..unasked
    };
    if let Some(bootstrap) = &options.bootstrap {
        return serve_with_function(region, server_options, bootstrap, &greeting).await;
    }
    let backend = Arc::new(Mutex::new(InRealTime(region)));
    let server = Server::start(backend.clone(), server_options).await.map_err(CliError::Serve)?;
    let endpoint = server.endpoint();
    backend.lock().unwrap_or_else(PoisonError::into_inner).0.queues.set_endpoint(endpoint.clone());
    greeting.say(&endpoint)?;
    tokio::signal::ctrl_c().await.map_err(CliError::Serve)?;
    server.stop().await;
    Ok(())
}

/// Serves the Region with the function behind its queues, and shows what happens.
async fn serve_with_function(
    region: Region,
    options: ServerOptions,
    bootstrap: &Path,
    greeting: &Greeting,
) -> Result<(), CliError> {
    let region = SharedRegion::new(region);
    let server = Server::start(region.backend(), options).await.map_err(CliError::Serve)?;
    let endpoint = server.endpoint();
    let mut function = Process::behind(server, &region, bootstrap, std::iter::empty()).await?;
    greeting.say(&endpoint)?;
    text(OF_THE_FUNCTION)?;
    let color = if std::io::stdout().is_terminal() { Color::Ansi } else { Color::Never };
    let mut timeline = Timeline::new(std::io::stdout(), Style { color, ..Style::default() });
    let ended = tokio::select! {
        ended = live(region, &mut function, &mut timeline) => ended.map_err(CliError::Broken),
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(CliError::Serve),
    };
    function.stop().await;
    ended.and(written(timeline.finish()))
}

const OF_THE_FUNCTION: &str = "
The function takes job messages from the queue, events of ECS, and a sweep every 5 minutes. Invoke it yourself:

  aws lambda invoke --function-name taskhold --payload fileb://events/command-status.json /dev/stdout

What it does follows here:

";

/// What a user must know about the Region.
struct Greeting {
    aws_region: String,
    account: String,
    tasks: Vec<String>,
    first_service: String,
}

impl Greeting {
    fn of(region: &Region, first_service: String) -> Self {
        let tasks = region.ecs.tasks().map(|task| task.id.clone()).collect();
        let origin = region.queues.origin();
        Self { aws_region: origin.region.clone(), account: origin.account.clone(), tasks, first_service }
    }

    fn say(&self, endpoint: &str) -> Result<(), CliError> {
        let Self { aws_region, account, tasks, first_service } = self;
        let queue_url = format!("{endpoint}/{account}/{JOB_QUEUE}");
        say!("Serving ECS, SQS, SNS and Application Auto Scaling at {endpoint} (Ctrl-C stops it)")?;
        say!("Cluster: {CLUSTER}")?;
        say!("Tasks: {}", tasks.join(" "))?;
        say!("Job queue: {queue_url}")?;
        say!("\nTo use the AWS CLI and SDKs, run these lines in a shell:\n")?;
        text(&environment(endpoint, aws_region))?;
        say!("\nThen:\n")?;
        say!("  aws ecs describe-services --cluster {CLUSTER} --services {first_service}")?;
        say!("  aws sqs get-queue-attributes --queue-url {queue_url} --attribute-names All")?;
        if let Some(task) = tasks.first() {
            say!("  aws ecs update-task-protection --cluster {CLUSTER} --protection-enabled --tasks {task}")?;
            say!("\nTo be a container of task {task}, such as for taskhold-run, run this line too:\n")?;
            text(&container_environment(endpoint, task, &queue_url))?;
            say!("\nTo make the containers' agent refuse protection, and then to end the fault:\n")?;
            say!(
                "  curl -X PUT {endpoint}/ecs-sim/agent -d '{{\"always\": {{\"refuses\": \"DEPLOYMENT_BLOCKED\"}}}}'"
            )?;
            say!("  curl -X PUT {endpoint}/ecs-sim/agent -d '{{}}'")?;
        }
        Ok(())
    }
}

/// The variables that ECS sets in each container of a task, and the job queue of `taskhold-run`.
fn container_environment(endpoint: &str, task: &str, queue_url: &str) -> String {
    format!(
        "  export ECS_CONTAINER_METADATA_URI_V4={endpoint}/v4/{task} ECS_AGENT_URI={endpoint}/api/{task} \
         TASKHOLD_QUEUE_URL={queue_url}\n"
    )
}

/// What a client needs to find this Region instead of AWS, as lines for a POSIX shell.
///
/// - Region: boto3 and version 1 of the AWS CLI read `AWS_DEFAULT_REGION`, the other SDKs `AWS_REGION`, version 2 of the CLI
///   both.
/// - Endpoints: the endpoint of one service takes precedence over the endpoint of all. Both are set, so that a variable that was set in the shell
///   before does not apply (AWS SDKs and Tools Reference Guide, "Service-specific endpoints").
/// - Version 1 of the AWS CLI ignores these variables for SQS, so the shell function adds `--endpoint-url`.
fn environment(endpoint: &str, region: &str) -> String {
    let services = ["ECS", "SQS", "SNS", "APPLICATION_AUTO_SCALING", "LAMBDA"];
    let endpoints: String = services.iter().map(|service| format!(" AWS_ENDPOINT_URL_{service}={endpoint}")).collect();
    [
        format!(
            "  export AWS_REGION={region} AWS_DEFAULT_REGION={region} AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x\n"
        ),
        format!("  export AWS_ENDPOINT_URL={endpoint}{endpoints}\n"),
        format!("  aws() {{ command aws --endpoint-url {endpoint} \"$@\"; }}\n"),
    ]
    .concat()
}
