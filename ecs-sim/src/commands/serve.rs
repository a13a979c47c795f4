//! `ecs-sim serve`: ECS, SQS, SNS and Application Auto Scaling on this machine, in real time.

use super::{CommandError, Options};
use crate::control_plane::{ServiceSpec, Setup};
use crate::http::{Answer, Backend, Call, Server, ServerOptions, wall_clock};
use crate::region::{CLUSTER, JOB_QUEUE, Region};
use std::sync::{Arc, Mutex, PoisonError};

/// A Region whose clock is the machine's.
struct InRealTime(Region);

impl Backend for InRealTime {
    fn call(&mut self, call: Call) -> Answer {
        self.0.advance_to(wall_clock());
        self.0.calls.clear();
        self.0.call(call)
    }
}

pub(super) async fn serve(options: &Options) -> Result<(), CommandError> {
    let mut region = Region::new(Setup { now: wall_clock(), ..Setup::default() });
    let services = match options.services.as_slice() {
        [] => vec![("web".to_owned(), 2)],
        services => services.to_vec(),
    };
    for (name, tasks) in services {
        region.ecs.create_service(ServiceSpec::new(CLUSTER, name, tasks))?;
    }
    let tasks: Vec<String> = region.ecs.tasks().map(|task| task.id.clone()).collect();
    let backend = Arc::new(Mutex::new(InRealTime(region)));
    let unasked = ServerOptions::default();
    let server_options = ServerOptions { host: options.host.unwrap_or(unasked.host), port: options.port, ..unasked };
    let server = Server::start(backend.clone(), server_options).await.map_err(CommandError::Serve)?;
    let queue_url = {
        let mut backend = backend.lock().unwrap_or_else(PoisonError::into_inner);
        backend.0.queues.set_endpoint(server.endpoint());
        backend.0.queues.url(JOB_QUEUE)
    };
    let endpoint = server.endpoint();
    println!("serving ECS, SQS, SNS and Application Auto Scaling at {endpoint} until Ctrl-C");
    println!("cluster `{CLUSTER}`, job queue {queue_url}");
    println!("tasks: {}", tasks.join(" "));
    println!();
    println!("  export AWS_ENDPOINT_URL={endpoint} AWS_REGION=eu-west-1 AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x");
    println!("  aws ecs describe-services --cluster {CLUSTER} --services web");
    if let Some(task) = tasks.first() {
        println!("  aws ecs update-task-protection --cluster {CLUSTER} --protection-enabled --tasks {task}");
    }
    tokio::signal::ctrl_c().await.map_err(CommandError::Serve)?;
    server.stop().await;
    Ok(())
}
