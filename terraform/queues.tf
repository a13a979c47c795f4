# The queues that the function reads, and the dead-letter queue.

# Workers write to this queue.
resource "aws_sqs_queue" "job" {
  name                    = "${var.name}-jobs"
  sqs_managed_sse_enabled = true

  # Six times the function's timeout, so that Lambda can retry a throttled batch within it.
  visibility_timeout_seconds = 180

  # Longer than the longest job (48 hours) and shorter than the finished-job retention
  # (TASKHOLD_FINISHED_JOB_RETENTION_HOURS).
  message_retention_seconds = 345600

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter.arn
    # Twice TASKHOLD_RECEIVES_MAX: the function dead-letters a message, with the reason, before SQS moves it
    # without one.
    maxReceiveCount = 100
  })
}

# The function sends itself messages here: recheck this service or task at that time, continue this sweep.
resource "aws_sqs_queue" "recheck" {
  name                       = "${var.name}-rechecks"
  sqs_managed_sse_enabled    = true
  visibility_timeout_seconds = 180

  # A recheck is due after 15 minutes at most, and is useless a day later.
  message_retention_seconds = 86400

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter.arn
    maxReceiveCount     = 10 # half an hour of failures; receives that were used up by throttling count too
  })
}

# For people to inspect: messages that the function dead-lettered (attribute taskhold.reason), messages that SQS
# moved here, and events that EventBridge or Lambda could not deliver. The command {"redrive": {}} carries them out.
resource "aws_sqs_queue" "dead_letter" {
  name                      = "${var.name}-dead-letters"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600 # 14 days, the maximum in SQS
}

resource "aws_sqs_queue_policy" "job" {
  queue_url = aws_sqs_queue.job.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyOverTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = aws_sqs_queue.job.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_sqs_queue_policy" "recheck" {
  queue_url = aws_sqs_queue.recheck.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyOverTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = aws_sqs_queue.recheck.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      # Applies regardless of other IAM grants in this account. For an assumed role, this key holds the role's
      # ARN, not the session's (IAM User Guide, "AWS global condition context keys").
      {
        Sid       = "OnlyFromTheFunction"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.recheck.arn
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = aws_iam_role.function.arn } }
      },
    ]
  })
}

resource "aws_sqs_queue_policy" "dead_letter" {
  queue_url = aws_sqs_queue.dead_letter.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyOverTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = aws_sqs_queue.dead_letter.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      # The function's role sends dead letters, and Lambda uses the same role for events that the function failed.
      # No other role or user may send: a redrive trusts the sender and the time that the function notes on a dead
      # letter. The statement leaves out AWS services, which may send only what the next statement allows. SQS needs
      # no statement to move a message here by the redrive policy of its queue.
      {
        Sid       = "OnlyFromTheFunction"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.dead_letter.arn
        Condition = {
          ArnNotEquals = { "aws:PrincipalArn" = aws_iam_role.function.arn }
          Bool         = { "aws:PrincipalIsAWSService" = "false" }
        }
      },
      # EventBridge uses no role here. This queue policy lets it send the events that it cannot deliver, for
      # this rule only.
      {
        Sid       = "UndeliveredEvents"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.dead_letter.arn
        Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.task_stopped.arn } }
      },
    ]
  })
}
