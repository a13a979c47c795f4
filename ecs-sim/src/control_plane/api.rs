//! The ECS JSON protocol: an operation's name and a JSON body in, a JSON body or an exception out.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{ApiError, ErrorCode};
use super::input;
use super::state::ControlPlane;

impl ControlPlane {
    /// Performs the operation of this name, without the prefix `AmazonEC2ContainerServiceV20141113.`, on a JSON body.
    ///
    /// # Errors
    /// The errors of the operation's own function; InvalidParameterException for parameters that are missing or unknown
    /// to ECS's model; SerializationException for a body of wrong types; and UnknownOperationException for an operation
    /// that is not simulated.
    pub fn call(&mut self, operation: &str, body: &Value) -> Result<Value, ApiError> {
        input::check(operation, body)?;
        match operation {
            "UpdateTaskProtection" => answer(self.update_task_protection(parse(body)?)),
            "GetTaskProtection" => answer(self.get_task_protection(parse(body)?)),
            "DescribeClusters" => answer(self.describe_clusters(parse(body)?)),
            "DescribeServices" => answer(self.describe_services(parse(body)?)),
            "DescribeServiceDeployments" => answer(self.describe_service_deployments(parse(body)?)),
            "ListServiceDeployments" => answer(self.list_service_deployments(parse(body)?)),
            "StopServiceDeployment" => answer(self.stop_service_deployment(parse(body)?)),
            "ContinueServiceDeployment" => answer(self.continue_service_deployment(parse(body)?)),
            "ListServices" => answer(self.list_services(parse(body)?)),
            "ListTasks" => answer(self.list_tasks(parse(body)?)),
            "DescribeTasks" => answer(self.describe_tasks(parse(body)?)),
            "UpdateService" => answer(self.update_service(parse(body)?)),
            "StopTask" => answer(self.stop_task_by_user(parse(body)?)),
            "RunTask" => answer(self.run_task(parse(body)?)),
            "CreateCluster" => answer(self.make_cluster(parse(body)?)),
            "DeleteService" => answer(self.delete_service(parse(body)?)),
            "CreateTaskSet" => answer(self.create_task_set(parse(body)?)),
            "UpdateServicePrimaryTaskSet" => answer(self.update_service_primary_task_set(parse(body)?)),
            "DeleteTaskSet" => answer(self.delete_task_set(parse(body)?)),
            "DescribeTaskSets" => answer(self.describe_task_sets(parse(body)?)),
            "CreateService" => answer(self.make_service(parse(body)?)),
            "ListTagsForResource" => answer(self.list_tags_for_resource(parse(body)?)),
            "TagResource" => answer(self.tag_resource(parse(body)?)),
            _ => Err(ApiError::new(ErrorCode::UnknownOperation, format!("`{operation}` is not simulated"))),
        }
    }
}

fn parse<Request: DeserializeOwned>(body: &Value) -> Result<Request, ApiError> {
    Request::deserialize(body).map_err(|error| ApiError::new(ErrorCode::Serialization, error.to_string()))
}

fn answer<Response: Serialize>(response: Result<Response, ApiError>) -> Result<Value, ApiError> {
    Ok(serde_json::to_value(response?).expect("answers have string keys and finite numbers"))
}
