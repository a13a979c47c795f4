output "job_queue_url" {
  description = "Where workers send job messages."
  value       = aws_sqs_queue.job.url
}

output "job_queue_arn" {
  description = "The job queue, for policies and subscriptions."
  value       = aws_sqs_queue.job.arn
}

output "dead_letter_queue_url" {
  description = "Where to look for messages that could not be carried out."
  value       = aws_sqs_queue.dead_letter.url
}

output "alert_topic_arn" {
  description = "What to subscribe to for alerts, by mail, in a chat or else."
  value       = aws_sns_topic.alert.arn
}

output "alert_queue_url" {
  description = "Where machines read alerts."
  value       = aws_sqs_queue.alert.url
}

output "interrupted_job_queue_url" {
  description = "Read interrupted jobs here. Null without interrupted_jobs."
  value       = one(aws_sqs_queue.interrupted_job[*].url)
}

output "interrupted_job_queue_arn" {
  description = "For the permission to do so, or the event source of a function that does. Null without interrupted_jobs."
  value       = one(aws_sqs_queue.interrupted_job[*].arn)
}

output "store_table_name" {
  description = "Where to look up what is known of a task."
  value       = aws_dynamodb_table.store.name
}

output "function_name" {
  description = "The function, for logs and metrics."
  value       = aws_lambda_function.function.function_name
}

output "worker_policy_arn" {
  description = "Attach it to the task roles of workers."
  value       = aws_iam_policy.worker.arn
}
