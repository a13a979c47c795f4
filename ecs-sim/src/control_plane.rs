//! The control plane: clusters, services, tasks, and the clock that drives them.
//!
//! | Module | Holds |
//! |---|---|
//! | `state`, `advance` | the state and the passing of time |
//! | `lifecycle` | what happens to a task |
//! | `scheduler` | the decisions of the service scheduler (pure) |
//! | `reconcile`, `hold` | how those decisions are carried out |
//! | `shift`, `traffic`, `circuit_breaker` | deployments that move traffic, and deployments that fail |
//! | `hook`, `lifecycle_hook`, `hook_invocation`, `service_deployment`, `service_deployment_progress` | service deployments, their stages, and the hooks at which they wait |
//! | `rebalance`, `deletion` | other causes of a scale-in |
//! | `protection` | the task protection API |
//! | `service_operations`, `service_deployment_operations`, `task_operations`, `task_set`, `cluster_operations` | the other operations |
//! | `api`, `input` | the JSON protocol |
//! | `stage` | what a scenario needs beyond ECS's API, such as a task that crashes |

mod advance;
mod api;
mod circuit_breaker;
mod cluster_operations;
mod configuration_description;
mod deletion;
mod deployment_configuration;
mod error;
mod eventbridge;
mod hold;
mod hook;
mod hook_configuration;
mod hook_invocation;
mod input;
mod lifecycle;
mod lifecycle_hook;
mod names;
mod planning;
mod protection;
mod rebalance;
mod reconcile;
mod request;
mod response;
mod scheduler;
mod service;
mod service_deployment;
mod service_deployment_operations;
mod service_deployment_progress;
mod service_deployment_shapes;
mod service_description;
mod service_operations;
mod shift;
mod stage;
mod state;
mod task;
mod task_operations;
mod task_set;
mod task_set_description;
mod throttling;
mod time;
mod traffic;
mod variants;

pub use configuration_description::{DeploymentConfigurationDescription, DeploymentControllerDescription};
pub use deletion::{DeleteServiceRequest, INACTIVE_SERVICE_REMEMBERED_MS};
pub use deployment_configuration::{
    CanaryConfiguration, CircuitBreaker, DeploymentCircuitBreaker, DeploymentConfiguration,
    DeploymentConfigurationRequest, DeploymentControllerType, LinearConfiguration, StrategySpec,
};
pub use error::{ApiError, ErrorCode};
pub use hook::{DeploymentStage, HookDecision, HookFunction, HookKind, HookSpec};
pub use hook_configuration::{EarlySuccessCriteria, EarlySuccessMember, HookTimeoutMember, LifecycleHookMember};
pub use hook_invocation::HookInvocation;
pub use request::{
    CreateClusterRequest, CreateServiceRequest, DeploymentControllerRequest, DescribeClustersRequest,
    DescribeServicesRequest, DescribeTasksRequest, GetTaskProtectionRequest, ListServicesRequest,
    ListTagsForResourceRequest, ListTasksRequest, RunTaskRequest, StopTaskRequest, Tag, TagResourceRequest,
    UpdateServiceRequest, UpdateTaskProtectionRequest,
};
pub use response::{
    ClusterDescription, ContainerDescription, CreateClusterResponse, DescribeClustersResponse,
    DescribeServicesResponse, DescribedTask, FailureDescription, ListServicesResponse, ListTagsForResourceResponse,
    ListTasksResponse, ProtectedTaskDescription, ServiceResponse, StopTaskResponse, TagResourceResponse,
    TaskProtectionResponse, TasksResponse,
};
pub use service::{
    ACTIVE_DEPLOYMENTS_MAX, DeploymentRolloutState, HOLD_REPEAT_MS, SERVICE_EVENTS_KEPT, ServiceEventMessage,
    ServiceSpec, SimulatedDeployment, SimulatedService, SimulatedServiceStatus,
};
pub use service_deployment::{ServiceDeploymentState, SimulatedServiceDeployment};
pub use service_deployment_shapes::{
    ChangedServiceDeploymentResponse, ContinueServiceDeploymentRequest, CreatedAtFilter,
    DescribeServiceDeploymentsRequest, DescribeServiceDeploymentsResponse, ListServiceDeploymentsRequest,
    ListServiceDeploymentsResponse, ServiceDeploymentBrief, ServiceDeploymentDescription, StopServiceDeploymentRequest,
};
pub use service_description::{DeploymentDescription, ServiceDescription, ServiceEventDescription};
pub use shift::TASK_SET_SHIFT_DELAY_MS;
pub use state::{ControlPlane, Setup};
pub use task::{
    SPOT_NOTICE_MS, START_DELAY_MS, STOP_DELAY_MS, STOPPED_TASK_REMEMBERED_MS, SimulatedTask, StopCode, TaskStatus,
};
pub use task_set::{
    CreateTaskSetRequest, DeleteTaskSetRequest, DescribeTaskSetsRequest, DescribeTaskSetsResponse, TaskSetResponse,
    UpdateServicePrimaryTaskSetRequest,
};
pub use task_set_description::{Scale, TaskSetDescription};
pub use throttling::Throttling;
pub use time::{Millis, START_OF_TIME_MS, Timestamp};
pub use variants::{
    ArnForm, DeferredRevisions, LATE_STOP_DELAY_MS, MessageRepeats, ProtectionEvent, ProtectionWhilePaused,
    RefusalRule, Renewal, RollingPauses, StopDelay, UnknownVariant, Variants,
};
