# The function and its triggers.

# Created here, because Lambda would create a log group that never expires.
resource "aws_cloudwatch_log_group" "function" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "function" {
  function_name    = var.name
  description      = "Protects busy tasks of ECS cluster ${var.cluster_name}"
  role             = aws_iam_role.function.arn
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
  handler          = "bootstrap" # required by Lambda; the runtime starts the file with this name
  runtime          = "provided.al2023"
  architectures    = [var.architecture]
  memory_size      = 256 # less memory would also mean less CPU, and slower TLS handshakes
  timeout          = 30  # leaves time to retry throttled calls

  environment {
    # Empty values are not set: TASKHOLD_REMEDIATIONS without a remediation, and the URL of a queue that is not
    # created.
    variables = { for name, value in local.settings : name => value if value != "" }
  }

  logging_config {
    log_format            = "JSON"
    application_log_level = var.log_level
    log_group             = aws_cloudwatch_log_group.function.name
  }

  # For events that the function fails three times. The queue keeps the event unchanged, and the command redrive
  # carries it out.
  dead_letter_config {
    target_arn = aws_sqs_queue.dead_letter.arn
  }

  lifecycle {
    # Reject at plan time the settings that the function would refuse to start with.
    precondition {
      condition     = var.policy != "release-idle" || var.allow_release_idle
      error_message = "policy release-idle needs allow_release_idle."
    }
    precondition {
      condition     = var.policy != "raise-desired-count" || var.allow_raise_desired_count
      error_message = "policy raise-desired-count needs allow_raise_desired_count."
    }
  }

  # Lambda checks that the role may send to the dead-letter queue before it creates the function.
  depends_on = [aws_iam_role_policy.function]
}

locals {
  settings = {
    TASKHOLD_CLUSTERS              = local.cluster_arn
    TASKHOLD_TABLE                 = aws_dynamodb_table.state.name
    TASKHOLD_DEAD_LETTER_QUEUE_URL = aws_sqs_queue.dead_letter.url
    TASKHOLD_RECHECK_QUEUE_URL     = aws_sqs_queue.recheck.url
    TASKHOLD_ALERT_TOPIC_ARN       = aws_sns_topic.alert.arn
    TASKHOLD_ALERT_QUEUE_URL       = aws_sqs_queue.alert.url
    TASKHOLD_INTERRUPTED_QUEUE_URL = join("", aws_sqs_queue.interrupted_job[*].url)
    # Longer than the job queue's message retention: a later message counts from its original time, by which it is
    # older than the longest job, and revives none.
    TASKHOLD_FINISHED_JOB_RETENTION_HOURS   = tostring(var.finished_job_retention_hours)
    TASKHOLD_LINGER_SECONDS                 = tostring(var.linger_seconds)
    TASKHOLD_DRY_RUN                        = tostring(var.dry_run)
    TASKHOLD_REQUIRE_SENDER_TASK            = tostring(var.require_sender_task)
    TASKHOLD_DEADLINE_MINUTES               = tostring(var.deadline_minutes)
    TASKHOLD_BLOCKED_AFTER_MINUTES          = tostring(var.blocked_after_minutes)
    TASKHOLD_SCALE_IN_BLOCKED_AFTER_MINUTES = tostring(var.scale_in_blocked_after_minutes)
    TASKHOLD_REPEAT_AFTER_MINUTES           = tostring(var.repeat_after_minutes)
    TASKHOLD_POLICY                         = var.policy
    TASKHOLD_REMEDIATIONS                   = join(",", compact([var.allow_release_idle ? "release-idle" : "", var.allow_raise_desired_count ? "raise-desired-count" : ""]))
    TASKHOLD_RELEASE_GRACE_MINUTES          = tostring(var.release_grace_minutes)
    TASKHOLD_RAISE_COOL_DOWN_MINUTES        = tostring(var.raise_cool_down_minutes)
  }
}

resource "aws_lambda_function_event_invoke_config" "function" {
  function_name                = aws_lambda_function.function.function_name
  maximum_event_age_in_seconds = 21600 # maximum: events wait while Lambda throttles the account; stops stay valid
  maximum_retry_attempts       = 2
}

resource "aws_lambda_event_source_mapping" "jobs" {
  event_source_arn        = aws_sqs_queue.job.arn
  function_name           = aws_lambda_function.function.arn
  function_response_types = ["ReportBatchItemFailures"]

  # Larger batches let more tasks share a protection call. Those of more than 10 messages need a window of at least a
  # second, and every second of it is one without protection for a task.
  batch_size                         = var.batching_window_seconds == 0 ? 10 : 1000
  maximum_batching_window_in_seconds = var.batching_window_seconds

  scaling_config {
    maximum_concurrency = 2 # the minimum in Lambda: more instances would split the messages into smaller batches
  }
}

resource "aws_lambda_event_source_mapping" "rechecks" {
  event_source_arn        = aws_sqs_queue.recheck.arn
  function_name           = aws_lambda_function.function.arn
  function_response_types = ["ReportBatchItemFailures"]
  batch_size              = 10 # a whole batch shares the function's 30 seconds

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
      # Not lastStatus: a task that is about to stop may have minutes left, in which people can act on its jobs.
      desiredStatus = ["STOPPED"]
    }
  })
}

resource "aws_cloudwatch_event_target" "task_stopped" {
  rule = aws_cloudwatch_event_rule.task_stopped.name
  arn  = aws_lambda_function.function.arn

  retry_policy {
    maximum_event_age_in_seconds = 86400 # both are the EventBridge maximum: a stop remains valid
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letter.arn
  }
}

# These events trigger a reconcile of the service and prove nothing by themselves. A table in the function
# defines which events trigger one.
resource "aws_cloudwatch_event_rule" "service_events" {
  name = "${var.name}-service-events"

  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Service Action", "ECS Deployment State Change", "ECS Hook State Change"]
    # Either condition suffices, because neither field is always present.
    "$or" = [
      # Of a hook, the resource is a service deployment.
      { resources = [
        { prefix = "${local.ecs}:service/${var.cluster_name}/" },
        { prefix = "${local.ecs}:service-deployment/${var.cluster_name}/" },
      ] },
      { detail = { clusterArn = [local.cluster_arn] } },
    ]
  })
}

resource "aws_cloudwatch_event_target" "service_events" {
  rule = aws_cloudwatch_event_rule.service_events.name
  arn  = aws_lambda_function.function.arn

  # By then the schedule reconciles every service anyway.
  retry_policy {
    maximum_event_age_in_seconds = 300
    maximum_retry_attempts       = 5
  }
}

# Reconciles every service, in case an event was lost.
resource "aws_cloudwatch_event_rule" "sweep" {
  name                = "${var.name}-sweep"
  description         = "taskhold sweep of ECS cluster ${var.cluster_name}"
  schedule_expression = "rate(${var.sweep_minutes} minutes)"
}

resource "aws_cloudwatch_event_target" "sweep" {
  rule  = aws_cloudwatch_event_rule.sweep.name
  arn   = aws_lambda_function.function.arn
  input = jsonencode({ sweep = {} })

  # The shortest time that EventBridge allows: the next sweep follows soon.
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
