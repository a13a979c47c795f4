# Notifications: alerts of the function, interrupted jobs, and alarms about the function itself.

resource "aws_sns_topic" "alert" {
  name = "${var.name}-alerts"
  # The AWS managed key, which every principal of this account that may publish can use. CloudWatch alarms
  # cannot: they use alarm_topic_arn.
  kms_master_key_id = "alias/aws/sns"
}

# Replaces the default SNS topic policy, which admits the whole account.
resource "aws_sns_topic_policy" "alert" {
  arn = aws_sns_topic.alert.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyOverTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.alert.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_sns_topic_subscription" "alert_mail" {
  count = var.alert_mail == "" ? 0 : 1

  topic_arn = aws_sns_topic.alert.arn
  protocol  = "email"
  endpoint  = var.alert_mail
}

# The same alerts, for programs.
resource "aws_sqs_queue" "alert" {
  name                      = "${var.name}-machine-alerts"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600
}

resource "aws_sqs_queue_policy" "alert" {
  queue_url = aws_sqs_queue.alert.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyOverTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = aws_sqs_queue.alert.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      # As for the recheck queue. Programs act on what they read here: a forged alert may page a person.
      {
        Sid       = "OnlyFromTheFunction"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.alert.arn
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = aws_iam_role.function.arn } }
      },
    ]
  })
}

# Jobs whose task stopped while they were running, for the program that restarts them. Created on request only:
# a queue without a reader would suggest that the jobs are taken care of.
resource "aws_sqs_queue" "interrupted_job" {
  count = var.interrupted_jobs ? 1 : 0

  name                      = "${var.name}-interrupted-jobs"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600
}

resource "aws_sqs_queue_policy" "interrupted_job" {
  count = var.interrupted_jobs ? 1 : 0

  queue_url = aws_sqs_queue.interrupted_job[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyOverTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = aws_sqs_queue.interrupted_job[0].arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      # As for the recheck queue. A program restarts what it reads here: a forged job would run.
      {
        Sid       = "OnlyFromTheFunction"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.interrupted_job[0].arn
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = aws_iam_role.function.arn } }
      },
    ]
  })
}

resource "aws_cloudwatch_metric_alarm" "dead_letter" {
  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "Job messages or events could not be processed. Their attribute taskhold.reason says why. Queue: ${aws_sqs_queue.dead_letter.url}"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letter.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching" # SQS reports no data for an inactive queue
  alarm_actions       = compact([var.alarm_topic_arn])
}

resource "aws_cloudwatch_metric_alarm" "late_jobs" {
  alarm_name          = "${var.name}-late-jobs"
  alarm_description   = "A job message has waited for more than 5 minutes, so its task may be unprotected. The function fails, is throttled, or ECS refuses. Queue: ${aws_sqs_queue.job.url}"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.job.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  # Seconds. More than one visibility timeout, and less than three, because this metric ignores messages that
  # have been received more than three times.
  threshold          = 300
  treat_missing_data = "notBreaching"
  alarm_actions      = compact([var.alarm_topic_arn])
}
