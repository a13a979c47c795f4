# The queues that the function reads, and the one where everything ends that could not be carried out.

# What workers write.
resource "aws_sqs_queue" "job" {
  name                    = "${var.name}-jobs"
  sqs_managed_sse_enabled = true

  # Six times the function's timeout: Lambda tries a throttled batch again within it.
  visibility_timeout_seconds = 180

  # Longer than the longest job (48 hours), shorter than a finished job is remembered (TASKHOLD_FINISHED_JOB_RETENTION_HOURS).
  message_retention_seconds = 345600

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter.arn
    # Twice TASKHOLD_RECEIVES_MAX: the function dead-letters a message with the reason before SQS gives it up without one.
    maxReceiveCount = 100
  })
}

# What the function tells itself: look at this service again at that time, go on with this sweep.
resource "aws_sqs_queue" "recheck" {
  name                       = "${var.name}-rechecks"
  sqs_managed_sse_enabled    = true
  visibility_timeout_seconds = 180

  # A recheck is due after 15 minutes at the latest, and a day later is worth nothing.
  message_retention_seconds = 86400

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter.arn
    maxReceiveCount     = 10 # half an hour of failing; receives that throttling used up count too
  })
}

# For people to look at: messages that the function dead-lettered (attribute taskhold.reason), messages that SQS gave up, and events
# that EventBridge or Lambda gave up.
resource "aws_sqs_queue" "dead_letter" {
  name                      = "${var.name}-dead-letters"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600 # 14 days, the longest that SQS knows
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
      # Whatever else IAM grants in this account. Whoever has assumed a role goes by the role's ARN in this key, not by the
      # session's (IAM User Guide, "AWS global condition context keys").
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
      # EventBridge has no role here: what it cannot deliver it sends by the queue's leave, and only for this rule.
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
