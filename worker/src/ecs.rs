//! Asks ECS, with the credentials of the task role, whether another deployment replaces the one that started the task.
//!
//! This module signs the two calls itself, because the ECS SDK would make up half of the program.

use crate::aws::{self, AwsConnection};
use crate::clock;
use crate::http::in_words;
use crate::job::TaskName;
use aws_sdk_sqs::config::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningParams, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};
use tokio::sync::OnceCell;

/// Time limit for both calls together.
const CALL_TIME: Duration = Duration::from_secs(3);
/// A service with its 100 latest events has about 60 KB.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// The service of a task.
#[derive(Debug)]
pub(crate) struct TaskService {
    task: TaskName,
    connection: OnceCell<AwsConnection>,
    origin: OnceCell<TaskOrigin>,
}

/// Which deployment of which service started the task. It never changes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TaskOrigin {
    started_by: Option<String>,
    group: Option<String>,
    cluster_arn: String,
}

#[derive(Debug, Deserialize)]
struct DescribeTasksAnswer {
    tasks: Vec<TaskOrigin>,
}

#[derive(Debug, Deserialize)]
struct DescribeServicesAnswer {
    services: Vec<ListedService>,
}

#[derive(Debug, Deserialize)]
struct ListedService {
    #[serde(default)]
    deployments: Vec<ListedDeployment>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedDeployment {
    id: String,
    status: String,
    rollout_state: Option<String>,
    #[serde(default)]
    running_count: u32,
    #[serde(default)]
    failed_tasks: u32,
}

impl TaskService {
    /// The service of this task, if there is a way to ask ECS.
    pub(crate) fn of(task: &TaskName) -> Option<Self> {
        Some(Self { task: task.clone(), connection: OnceCell::new(), origin: OnceCell::new() })
    }

    /// Whether another deployment of the service replaces the one that started this task.
    ///
    /// # Errors
    /// ECS does not answer, for example because the task role lacks permission. The text describes the problem.
    pub(crate) async fn replaces_task(&self) -> Result<bool, String> {
        tokio::select! {
            answer = self.ask() => answer,
            () = clock::sleep(CALL_TIME) => Err(format!("no answer within {}", crate::duration::shown(CALL_TIME))),
        }
    }

    async fn ask(&self) -> Result<bool, String> {
        let origin = self.origin.get_or_try_init(|| self.read_origin()).await?;
        let (Some(own), Some(service)) = (&origin.started_by, &origin.group) else {
            return Ok(false);
        };
        let Some(service) = service.strip_prefix("service:") else {
            return Ok(false); // not a task of a service
        };
        let input = json!({ "cluster": origin.cluster_arn, "services": [service] });
        let answer: DescribeServicesAnswer = self.call("DescribeServices", &input).await?;
        let service = answer.services.first().ok_or("ECS does not know the service of the task")?;
        Ok(is_replaced(own, &service.deployments))
    }

    async fn read_origin(&self) -> Result<TaskOrigin, String> {
        let cluster = self.task.cluster.as_deref().or_else(|| self.task.arn.rsplit('/').nth(1));
        let input = json!({ "cluster": cluster, "tasks": [self.task.arn] });
        let answer: DescribeTasksAnswer = self.call("DescribeTasks", &input).await?;
        answer.tasks.into_iter().next().ok_or_else(|| "ECS does not know the task".to_owned())
    }

    async fn call<T: DeserializeOwned>(&self, operation: &str, input: &Value) -> Result<T, String> {
        let connect = || async { aws::connect(aws::region_of(&self.task).as_deref()).await };
        let AwsConnection { config, connector } = self.connection.get_or_init(connect).await;
        let provider = config.credentials_provider().ok_or("there are no credentials")?;
        let credentials = provider.provide_credentials().await.map_err(in_words)?;
        let region = config.region().ok_or("the Region is unknown")?.as_ref();
        let url = endpoint(&self.task.arn, region)?;
        let body = input.to_string();
        let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name("ecs")
            .time(SystemTime::from(clock::date()))
            .settings(SigningSettings::default())
            .build()
            .map_err(in_words)?;
        let signable = SignableRequest::new("POST", &url, headers.into_iter(), SignableBody::Bytes(body.as_bytes()));
        let parameters = SigningParams::V4(parameters);
        let (signature, _) = sign(signable.map_err(in_words)?, &parameters).map_err(in_words)?.into_parts();
        let mut request = HttpRequest::new(body.as_str().into());
        request.set_method("POST").map_err(in_words)?;
        request.set_uri(url.as_str()).map_err(in_words)?;
        for (name, value) in headers.into_iter().chain(signature.headers()) {
            request.headers_mut().insert(name.to_owned(), value.to_owned());
        }
        let response = connector.call(request).await.map_err(in_words)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| format!("the answer broke off or is too long: {error}"))?.to_bytes();
        if !status.is_success() {
            let text: String = String::from_utf8_lossy(&body).chars().take(500).collect();
            return Err(format!("{operation}: HTTP {}: {text}", status.as_u16()));
        }
        serde_json::from_slice(&body).map_err(|error| format!("{operation}: {error}"))
    }
}

/// The endpoint of ECS, chosen as the AWS SDKs choose it.
fn endpoint(arn: &str, region: &str) -> Result<String, String> {
    let names = ["AWS_ENDPOINT_URL_ECS", "AWS_ENDPOINT_URL"];
    if let Some(url) = names.iter().find_map(std::env::var_os) {
        let url = url.to_string_lossy();
        return Ok(format!("{}/", url.trim_end_matches('/')));
    }
    match arn.split(':').nth(1) {
        Some("aws" | "aws-us-gov") => Ok(format!("https://ecs.{region}.amazonaws.com/")),
        Some("aws-cn") => Ok(format!("https://ecs.{region}.amazonaws.com.cn/")),
        _ => Err("the endpoint of ECS in this partition is unknown; set AWS_ENDPOINT_URL_ECS".to_owned()),
    }
}

/// Whether another deployment replaces this one. A deployment whose tasks fail does not: the old tasks must continue to
/// do the work.
fn is_replaced(own: &str, deployments: &[ListedDeployment]) -> bool {
    deployments.iter().any(|deployment| {
        let fails = deployment.rollout_state.as_deref() == Some("FAILED")
            || (deployment.failed_tasks > 0 && deployment.running_count == 0);
        deployment.status == "PRIMARY" && deployment.id != own && !fails
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployments(text: &str) -> Vec<ListedDeployment> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_primary_deployment_replaces_the_others() {
        let two = r#"[{"id": "ecs-svc/2", "status": "PRIMARY", "rolloutState": "IN_PROGRESS"},
            {"id": "ecs-svc/1", "status": "ACTIVE", "rolloutState": "COMPLETED", "runningCount": 2}]"#;
        assert!(is_replaced("ecs-svc/1", &deployments(two)));
        assert!(!is_replaced("ecs-svc/2", &deployments(two)));
        assert!(!is_replaced("ecs-svc/1", &[]), "task sets have no deployments");
    }

    #[test]
    fn a_deployment_whose_tasks_fail_replaces_nothing() {
        for state in [r#""rolloutState": "FAILED", "runningCount": 1"#, r#""failedTasks": 3, "runningCount": 0"#] {
            let failing = format!(r#"[{{"id": "ecs-svc/2", "status": "PRIMARY", {state}}}]"#);
            assert!(!is_replaced("ecs-svc/1", &deployments(&failing)), "{state}");
        }
        let recovered = r#"[{"id": "ecs-svc/2", "status": "PRIMARY", "failedTasks": 3, "runningCount": 1}]"#;
        assert!(is_replaced("ecs-svc/1", &deployments(recovered)));
    }

    #[test]
    fn the_endpoint_of_a_partition_is_that_of_the_sdks() {
        let of = |partition: &str| endpoint(&format!("arn:{partition}:ecs:x:1:task/video/4f"), "x").ok();
        assert_eq!(of("aws").as_deref(), Some("https://ecs.x.amazonaws.com/"));
        assert_eq!(of("aws-cn").as_deref(), Some("https://ecs.x.amazonaws.com.cn/"));
        assert_eq!(of("aws-iso"), None);
    }
}
