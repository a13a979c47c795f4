# The function, and what invokes it.

# Made here and not by Lambda, which would keep the logs for ever.
resource "aws_cloudwatch_log_group" "function" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "function" {
  function_name    = var.name
  description      = "Holds busy tasks of ECS cluster ${var.cluster_name} in place"
  role             = aws_iam_role.function.arn
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
  handler          = "bootstrap" # Lambda wants one; the runtime starts the file of this name
  runtime          = "provided.al2023"
  architectures    = [var.architecture]
  memory_size      = 256 # less memory would also mean less processor, and slower TLS handshakes
  timeout          = 30  # room for throttled calls to be tried again

  environment {
    # What is empty is not set: TASKHOLD_REMEDIATIONS without a remediation, and the queue that is not there.
    variables = { for name, value in local.settings : name => value if value != "" }
  }

  logging_config {
    log_format            = "JSON"
    application_log_level = var.log_level
    log_group             = aws_cloudwatch_log_group.function.name
  }

  # For events that the function fails three times. It keeps the event as it came: sent to the job queue, it is carried out.
  dead_letter_config {
    target_arn = aws_sqs_queue.dead_letter.arn
  }

  lifecycle {
    # What the function would refuse to start with is refused before anything is deployed.
    precondition {
      condition     = var.policy != "release-idle" || var.allow_release_idle
      error_message = "policy release-idle needs allow_release_idle."
    }
    precondition {
      condition     = var.policy != "raise-desired-count" || var.allow_raise_desired_count
      error_message = "policy raise-desired-count needs allow_raise_desired_count."
    }
  }

  # Lambda asks whether the role may send to the dead-letter queue before it makes the function.
  depends_on = [aws_iam_role_policy.function]
}

locals {
  settings = {
    TASKHOLD_CLUSTERS              = local.cluster_arn
    TASKHOLD_TABLE                 = aws_dynamodb_table.store.name
    TASKHOLD_DEAD_LETTER_QUEUE_URL     = aws_sqs_queue.dead_letter.url
    TASKHOLD_RECHECK_QUEUE_URL   = aws_sqs_queue.recheck.url
    TASKHOLD_ALERT_TOPIC_ARN       = aws_sns_topic.alert.arn
    TASKHOLD_ALERT_QUEUE_URL       = aws_sqs_queue.alert.url
    TASKHOLD_INTERRUPTED_QUEUE_URL = join("", aws_sqs_queue.interrupted_job[*].url)
    # Longer than the job queue keeps messages: what comes later is older than any job can last, and revives none.
    TASKHOLD_FINISHED_JOB_RETENTION_HOURS         = "120"
    TASKHOLD_DRY_RUN                 = tostring(var.dry_run)
    TASKHOLD_REQUIRE_SENDER_TASK     = tostring(var.require_sender_task)
    TASKHOLD_DEADLINE_MINUTES        = tostring(var.deadline_minutes)
    TASKHOLD_BLOCKED_AFTER_MINUTES   = tostring(var.blocked_after_minutes)
    TASKHOLD_REPEAT_AFTER_MINUTES    = tostring(var.repeat_after_minutes)
    TASKHOLD_POLICY                  = var.policy
    TASKHOLD_REMEDIATIONS                = join(",", compact([var.allow_release_idle ? "release-idle" : "", var.allow_raise_desired_count ? "raise-desired-count" : ""]))
    TASKHOLD_RELEASE_GRACE_MINUTES   = tostring(var.release_grace_minutes)
    TASKHOLD_RAISE_COOL_DOWN_MINUTES = tostring(var.raise_cool_down_minutes)
  }
}

resource "aws_lambda_function_event_invoke_config" "function" {
  function_name                = aws_lambda_function.function.function_name
  maximum_event_age_in_seconds = 21600 # the most: an event waits while Lambda throttles the account, and a stop stays true
  maximum_retry_attempts       = 2
}

resource "aws_lambda_event_source_mapping" "jobs" {
  event_source_arn        = aws_sqs_queue.job.arn
  function_name           = aws_lambda_function.function.arn
  function_response_types = ["ReportBatchItemFailures"]

  # The more messages come together, the more tasks share a protection call.
  batch_size = 1000
  # The least for more than 10 messages. Every second here is a second that a task is not protected.
  maximum_batching_window_in_seconds = 1

  scaling_config {
    maximum_concurrency = 2 # the least that Lambda knows: more instances would share out the messages in smaller batches
  }
}

resource "aws_lambda_event_source_mapping" "rechecks" {
  event_source_arn        = aws_sqs_queue.recheck.arn
  function_name           = aws_lambda_function.function.arn
  function_response_types = ["ReportBatchItemFailures"]
  batch_size              = 10 # all of a batch share the function's 30 seconds

  scaling_config {
    maximum_concurrency = 2
  }
}

resource "aws_cloudwatch_event_rule" "task_stopped" {
  name = "${var.name}-task-stopped"

  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail = {
      clusterArn = [local.cluster_arn]
      # Not lastStatus: a task that is only about to stop may have minutes left, in which people can learn of its jobs.
      desiredStatus = ["STOPPED"]
    }
  })
}

resource "aws_cloudwatch_event_target" "task_stopped" {
  rule = aws_cloudwatch_event_rule.task_stopped.name
  arn  = aws_lambda_function.function.arn

  retry_policy {
    maximum_event_age_in_seconds = 86400 # both the most that EventBridge knows: a stop stays true
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letter.arn
  }
}

# A reason to look at a service, never the proof of anything. The function's own table says which events are worth a look.
resource "aws_cloudwatch_event_rule" "service_events" {
  name = "${var.name}-service-events"

  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Service Action", "ECS Deployment State Change"]
    # Either is enough, because neither is always there.
    "$or" = [
      { resources = [{ prefix = "${local.ecs}:service/${var.cluster_name}/" }] },
      { detail = { clusterArn = [local.cluster_arn] } },
    ]
  })
}

resource "aws_cloudwatch_event_target" "service_events" {
  rule = aws_cloudwatch_event_rule.service_events.name
  arn  = aws_lambda_function.function.arn

  # For as long as it takes the schedule to look anyway.
  retry_policy {
    maximum_event_age_in_seconds = 300
    maximum_retry_attempts       = 5
  }
}

# Looks at every service, for what no event told.
resource "aws_cloudwatch_event_rule" "sweep" {
  name                = "${var.name}-sweep"
  description         = "taskhold looks at every service of ECS cluster ${var.cluster_name}"
  schedule_expression = "rate(${var.sweep_minutes} minutes)"
}

resource "aws_cloudwatch_event_target" "sweep" {
  rule  = aws_cloudwatch_event_rule.sweep.name
  arn   = aws_lambda_function.function.arn
  input = jsonencode({ sweep = {} })

  # The shortest that EventBridge knows: the next one comes soon.
  retry_policy {
    maximum_event_age_in_seconds = 60
    maximum_retry_attempts       = 1
  }
}

resource "aws_lambda_permission" "task_stopped" {
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.task_stopped.arn
}

resource "aws_lambda_permission" "service_events" {
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.service_events.arn
}

resource "aws_lambda_permission" "sweep" {
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.sweep.arn
}
