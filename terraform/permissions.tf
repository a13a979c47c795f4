# Permissions of the function and of workers.

data "aws_partition" "current" {}

data "aws_region" "current" {}

data "aws_caller_identity" "current" {}

locals {
  # `id` and not `name`, which the provider has renamed: it is the Region's code in every version.
  ecs         = "arn:${data.aws_partition.current.partition}:ecs:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}"
  cluster_arn = "${local.ecs}:cluster/${var.cluster_name}"
}

resource "aws_iam_role" "function" {
  name_prefix = "${var.name}-" # roles belong to the account, and another Region may have one of this name
  description = "Role of the function that protects busy tasks of ECS cluster ${var.cluster_name}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  name = "taskhold"
  role = aws_iam_role.function.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      local.statements,
      local.interrupted_job_statements,
      [for statement in local.raise_desired_count_statements : statement if var.allow_raise_desired_count],
    )
  })
}

locals {
  statements = [
    {
      Sid      = "ProtectTasksOfTheCluster"
      Effect   = "Allow"
      Action   = ["ecs:UpdateTaskProtection", "ecs:GetTaskProtection", "ecs:DescribeTasks"]
      Resource = "${local.ecs}:task/${var.cluster_name}/*"
    },
    {
      Sid      = "SeeServicesOfTheCluster"
      Effect   = "Allow"
      Action   = "ecs:DescribeServices"
      Resource = "${local.ecs}:service/${var.cluster_name}/*"
    },
    {
      Sid      = "SeeServiceDeploymentsOfTheCluster"
      Effect   = "Allow"
      Action   = "ecs:DescribeServiceDeployments"
      Resource = "${local.ecs}:service-deployment/${var.cluster_name}/*"
    },
    # List actions have no resource to name, so the cluster is a condition (Service Authorization Reference,
    # "Amazon Elastic Container Service").
    {
      Sid       = "ListWithinTheCluster"
      Effect    = "Allow"
      Action    = ["ecs:ListServices", "ecs:ListTasks"]
      Resource  = "*"
      Condition = { ArnEquals = { "ecs:cluster" = local.cluster_arn } }
    },
    {
      Sid      = "ReadAndWriteRecords"
      Effect   = "Allow"
      Action   = ["dynamodb:GetItem", "dynamodb:PutItem"]
      Resource = aws_dynamodb_table.state.arn
    },
    {
      Sid      = "ListOpenRecords"
      Effect   = "Allow"
      Action   = "dynamodb:Query"
      Resource = "${aws_dynamodb_table.state.arn}/index/open"
    },
    # Lambda also uses this permission, through the function's role, for events that the function failed three
    # times.
    {
      Sid      = "SendDeadLetters"
      Effect   = "Allow"
      Action   = "sqs:SendMessage"
      Resource = aws_sqs_queue.dead_letter.arn
    },
    # For the command redrive.
    {
      Sid      = "RedriveDeadLetters"
      Effect   = "Allow"
      Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
      Resource = aws_sqs_queue.dead_letter.arn
    },
    {
      Sid      = "Recheck"
      Effect   = "Allow"
      Action   = "sqs:SendMessage"
      Resource = aws_sqs_queue.recheck.arn
    },
    {
      Sid      = "PublishAlerts"
      Effect   = "Allow"
      Action   = "sns:Publish"
      Resource = aws_sns_topic.alert.arn
    },
    {
      Sid      = "SendAlerts"
      Effect   = "Allow"
      Action   = "sqs:SendMessage"
      Resource = aws_sqs_queue.alert.arn
    },
    # SAM attaches AWS managed policies for these two, which name no resource. Here they name the function's
    # own.
    {
      Sid      = "ReadItsQueues"
      Effect   = "Allow"
      Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
      Resource = [aws_sqs_queue.job.arn, aws_sqs_queue.recheck.arn]
    },
    {
      Sid      = "WriteLogs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${aws_cloudwatch_log_group.function.arn}:*"
    },
  ]

  interrupted_job_statements = [for queue in aws_sqs_queue.interrupted_job : {
    Sid      = "ForwardInterruptedJobs"
    Effect   = "Allow"
    Action   = "sqs:SendMessage"
    Resource = queue.arn
  }]

  raise_desired_count_statements = [
    # This permission covers more of a service than its desired count, so it is granted on request only.
    {
      Sid      = "RaiseDesiredCounts"
      Effect   = "Allow"
      Action   = "ecs:UpdateService"
      Resource = "${local.ecs}:service/${var.cluster_name}/*"
    },
    # A read action without a resource to name (Service Authorization Reference, "AWS Application Auto
    # Scaling").
    {
      Sid      = "DescribeScalableTargets"
      Effect   = "Allow"
      Action   = "application-autoscaling:DescribeScalableTargets"
      Resource = "*"
    },
  ]
}

# ECS assumes this role to call the function as a deployment lifecycle hook (docs/gate.md). No condition on the
# account: AWS's page on these roles ("Permissions required for Lambda functions in Amazon ECS blue/green
# deployments") shows none, and a role that ECS cannot assume rolls the deployment back.
resource "aws_iam_role" "hook" {
  name_prefix = "${var.name}-hook-"
  description = "Role with which ECS calls taskhold as a deployment lifecycle hook"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "hook" {
  name = "taskhold"
  role = aws_iam_role.hook.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "CallTheHook"
      Effect   = "Allow"
      Action   = "lambda:InvokeFunction"
      Resource = aws_lambda_function.function.arn
    }]
  })
}

# Attach to the task roles of workers.
resource "aws_iam_policy" "worker" {
  name_prefix = "${var.name}-worker-"
  description = "Send job messages to taskhold of ECS cluster ${var.cluster_name}, and nothing else"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "SendJobMessages"
      Effect   = "Allow"
      Action   = "sqs:SendMessage" # SendMessageBatch needs no other action
      Resource = aws_sqs_queue.job.arn
    }]
  })
}

# Attach instead to the task roles of workers that protect their own task, as taskhold-run does.
resource "aws_iam_policy" "protecting_worker" {
  name_prefix = "${var.name}-protecting-worker-"
  description = "Protect tasks of ECS cluster ${var.cluster_name} through the agent, and send job messages to taskhold"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "SendJobMessages"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.job.arn
      },
      {
        # The agent calls ECS with the credentials of the task role. IAM cannot limit it to the caller's own task.
        Sid      = "ProtectTasks"
        Effect   = "Allow"
        Action   = ["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"]
        Resource = "${local.ecs}:task/${var.cluster_name}/*"
      },
    ]
  })
}
