//! A loopback server that speaks the AWS protocols, so that the real SDKs, the CLI and the real `bootstrap` can use the
//! simulator. One port serves all of it:
//!
//! | Request | Protocol | Goes to |
//! |---|---|---|
//! | `X-Amz-Target: AmazonEC2ContainerServiceV20141113.…` | AWS JSON 1.1 | [`Backend`], [`AwsService::Ecs`] |
//! | `X-Amz-Target: AmazonSQS.…` | AWS JSON 1.0 | [`Backend`], [`AwsService::Sqs`] |
//! | `X-Amz-Target: AnyScaleFrontendService.…` | AWS JSON 1.1 | [`Backend`], [`AwsService::ApplicationAutoScaling`] |
//! | a form with `Action=…` | AWS Query, XML answers | [`Backend`], [`AwsService::Sns`] |
//! | `/2018-06-01/runtime/…` | Lambda runtime API | [`RuntimeApi`] |
//! | `/2015-03-31/functions/NAME/invocations` | Lambda's Invoke | [`RuntimeApi`] |
//! | `PUT /ecs-sim/agent` | JSON | [`ContainerAgent`]: its faults |
//! | `/v4/ID…`, `/api/ID/task-protection/v1/state` | the container's metadata and agent | [`ContainerAgent`], [`AwsService::Ecs`] |
//!
//! The server implements HTTP and these protocols; the [`Backend`] implements the services. [`Services`] is a backend
//! made of the simulated queues, [`Topics`], scalable targets, and an ECS of your choice. Signatures are not checked.
//! The access key id is passed to the backend, because it identifies the caller. Left out on purpose: TLS, and SQS's
//! older query protocol. The server listens on 127.0.0.1 by default, since any client that can connect has full access.

mod agent;
mod agent_control;
mod agent_http;
mod backend;
mod body;
mod lambda_http;
mod protocol;
mod query;
mod response;
mod runtime_api;
mod runtime_http;
mod server;
mod server_state;
mod services;
mod topics;

pub use crate::service_error::ServiceError;
pub use agent::{AGENT_REQUESTS_PER_SECOND, AgentErrorShape, AgentFault, AgentRequest, AgentState, ContainerAgent};
pub use backend::{AwsService, Backend, ServiceAnswer, ServiceCall};
pub use body::REQUEST_BYTES_MAX;
pub use runtime_api::{InvocationError, RuntimeApi};
pub use server::{Server, ServerOptions};
pub use services::{EcsBackend, Services, wall_clock};
pub use topics::{Publication, Topics};
