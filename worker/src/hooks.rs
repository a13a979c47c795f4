//! `taskhold-run start`, `heartbeat` and `finish`: tell the server about a job, for the hooks of runners.

use crate::client::{Insistence, ServerClient, ServerVerdict};
use crate::container::{ContainerEnvironment, EXIT_REFUSED, Patience, task_name};
use crate::log::Log;
use crate::metadata::MetadataEndpoint;
use crate::options::{HookOptions, HookVerb, IfRefused};
use crate::protector::{Application, Unprotected};

/// Anything but a refusal.
const EXIT_ERROR: u8 = 1;

/// Tells the server. Returns the exit code.
pub(crate) async fn run(options: HookOptions, environment: ContainerEnvironment) -> u8 {
    let log = Log { format: options.log_format };
    let metadata = environment.metadata_uri.as_deref().map(MetadataEndpoint::new);
    // A server of another task refuses; without metadata, this cannot be checked.
    let task = task_name(metadata.as_ref(), Patience::Once, log).await;
    let client = ServerClient::new(options.server.clone(), task.as_ref());
    let id = options.job.id.clone();
    if options.verb == HookVerb::Finish {
        return match client.end(&id, options.outcome).await {
            Ok(()) => 0,
            Err(problem) => {
                log.error("cannot end the job", &[("job", &id), ("problem", &problem)]);
                EXIT_ERROR
            }
        };
    }
    let application = Application {
        job: options.job,
        max: options.max,
        attempt: options.attempt,
        unprotected: Unprotected::Forgotten,
    };
    let how = Insistence {
        if_refused: options.if_refused,
        wait_timeout: options.wait_timeout,
        interval: options.check_interval,
    };
    match client.admit(application, how, log).await {
        ServerVerdict::Admitted => 0,
        // The server has recorded it, and the log says that it is not protected.
        ServerVerdict::Refused(_) | ServerVerdict::Unknown(_) if how.if_refused == IfRefused::Run => 0,
        ServerVerdict::Refused(reason) => {
            log.warn("ECS refuses to protect the job", &[("job", &id), ("reason", &reason)]);
            EXIT_REFUSED
        }
        ServerVerdict::Unknown(problem) | ServerVerdict::Failed(problem) => {
            log.error("cannot protect the job", &[("job", &id), ("problem", &problem)]);
            EXIT_ERROR
        }
    }
}
