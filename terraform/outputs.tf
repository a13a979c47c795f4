output "job_queue_url" {
  description = "URL of the queue to which workers send job messages."
  value       = aws_sqs_queue.job.url
}

output "job_queue_arn" {
  description = "ARN of the job queue, for policies and subscriptions."
  value       = aws_sqs_queue.job.arn
}

output "dead_letter_queue_url" {
  description = "URL of the queue that keeps messages and events that could not be processed."
  value       = aws_sqs_queue.dead_letter.url
}

output "alert_topic_arn" {
  description = "ARN of the topic to subscribe to for alerts by mail, in a chat or elsewhere."
  value       = aws_sns_topic.alert.arn
}

output "alert_queue_url" {
  description = "URL of the queue from which programs read alerts."
  value       = aws_sqs_queue.alert.url
}

output "interrupted_job_queue_url" {
  description = "URL of the queue of interrupted jobs. Null without interrupted_jobs."
  value       = one(aws_sqs_queue.interrupted_job[*].url)
}

output "interrupted_job_queue_arn" {
  description = "ARN of the queue of interrupted jobs, for a policy or an event source mapping. Null without interrupted_jobs."
  value       = one(aws_sqs_queue.interrupted_job[*].arn)
}

output "state_table_name" {
  description = "Name of the table with task records and service records."
  value       = aws_dynamodb_table.state.name
}

output "function_name" {
  description = "Name of the function, for its logs and metrics."
  value       = aws_lambda_function.function.function_name
}

output "function_arn" {
  description = "ARN of the function, for a deployment lifecycle hook."
  value       = aws_lambda_function.function.arn
}

output "hook_role_arn" {
  description = "ARN of the role with which ECS calls the function as a deployment lifecycle hook."
  value       = aws_iam_role.hook.arn
}

output "worker_policy_arn" {
  description = "ARN of the policy to attach to the task roles of workers."
  value       = aws_iam_policy.worker.arn
}

output "protecting_worker_policy_arn" {
  description = "ARN of the policy to attach to the task roles of workers that protect their own task."
  value       = aws_iam_policy.protecting_worker.arn
}
