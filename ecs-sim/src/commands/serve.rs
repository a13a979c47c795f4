//! `ecs-sim serve`: ECS, SQS, SNS and Application Auto Scaling on this machine, in real time.

use super::error::CliError;
use super::options::Options;
use super::output::{say, text};
use crate::control_plane::{ServiceSpec, Setup};
use crate::http::{Backend, Server, ServerOptions, ServiceAnswer, ServiceCall, wall_clock};
use crate::region::{CLUSTER, JOB_QUEUE, Region};
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
    let aws_region = setup.region.clone();
    let mut region = Region::new(setup);
    let services = match options.services.as_slice() {
        [] => vec![("transcode".to_owned(), 2)],
        services => services.to_vec(),
    };
    let first_service = services[0].0.clone();
    for (name, tasks) in services {
        region.ecs.create_service(ServiceSpec::new(CLUSTER, name, tasks))?;
    }
    let tasks: Vec<String> = region.ecs.tasks().map(|task| task.id.clone()).collect();
    let backend = Arc::new(Mutex::new(InRealTime(region)));
    let unasked = ServerOptions::default();
    let server_options = ServerOptions {
        host: options.host.unwrap_or(unasked.host),
        port: options.port,
        cluster: CLUSTER.to_owned(),
        ..unasked
    };
    let server = Server::start(backend.clone(), server_options).await.map_err(CliError::Serve)?;
    let queue_url = {
        let mut backend = backend.lock().unwrap_or_else(PoisonError::into_inner);
        backend.0.queues.set_endpoint(server.endpoint());
        backend.0.queues.url(JOB_QUEUE)
    };
    let endpoint = server.endpoint();
    say!("Serving ECS, SQS, SNS and Application Auto Scaling at {endpoint} (Ctrl-C stops it)")?;
    say!("Cluster: {CLUSTER}")?;
    say!("Tasks: {}", tasks.join(" "))?;
    say!("Job queue: {queue_url}")?;
    say!("\nTo use the AWS CLI and SDKs, run these lines in a shell:\n")?;
    text(&environment(&endpoint, &aws_region))?;
    say!("\nThen:\n")?;
    say!("  aws ecs describe-services --cluster {CLUSTER} --services {first_service}")?;
    say!("  aws sqs get-queue-attributes --queue-url {queue_url} --attribute-names All")?;
    if let Some(task) = tasks.first() {
        say!("  aws ecs update-task-protection --cluster {CLUSTER} --protection-enabled --tasks {task}")?;
        say!("\nTo be a container of task {task}, such as for taskhold-run, run this line too:\n")?;
        text(&container_environment(&endpoint, task, &queue_url))?;
    }
    tokio::signal::ctrl_c().await.map_err(CliError::Serve)?;
    server.stop().await;
    Ok(())
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
    let services = ["ECS", "SQS", "SNS", "APPLICATION_AUTO_SCALING"];
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
