# The parameters of template.yaml, and two that only Terraform needs: what to call things, and where the function lies. A test
# holds names, defaults and bounds to the template's.

variable "name" {
  description = "What the function is called, and how the names of everything else begin. One name serves one cluster."
  type        = string
  default     = "taskhold"

  validation {
    # 64 are the most for a function, and the queues' names go on after it. Roles get 26 more from the provider and have 64 too.
    condition     = can(regex("^[A-Za-z0-9_-]{1,30}$", var.name))
    error_message = "name must be 1 to 30 letters, digits, hyphens and underscores."
  }
}

variable "package" {
  description = "Path of the zip with the function's binary, which `make build` writes: target/lambda/bootstrap.zip."
  type        = string
}

variable "cluster_name" {
  description = "Name of the ECS cluster, in this account and Region. One module serves one cluster."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,255}$", var.cluster_name))
    error_message = "cluster_name must be the name of a cluster, not its ARN."
  }
}

variable "dry_run" {
  description = "With true the function logs what it would ask of ECS, and changes nothing."
  type        = bool
  default     = false
}

variable "require_sender_task" {
  description = "With true a job message counts only if it was sent with the task role's credentials of the very task that it speaks for."
  type        = bool
  default     = false
}

variable "alert_mail" {
  description = "Who gets alerts by mail, once he has confirmed it. Empty for nobody; others can subscribe to the alert topic."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([^@ ]+@[^@ ]+)?$", var.alert_mail))
    error_message = "alert_mail must be a mail address, or empty."
  }
}

variable "sweep_minutes" {
  description = "How often the function looks at every service of the cluster, in minutes, for what no event told."
  type        = number
  default     = 5

  validation {
    # EventBridge wants `minute` for 1, and the schedule says `minutes`.
    condition     = var.sweep_minutes >= 2 && var.sweep_minutes <= 60 && floor(var.sweep_minutes) == var.sweep_minutes
    error_message = "sweep_minutes must be a whole number from 2 to 60."
  }
}

variable "blocked_after_minutes" {
  description = "How long protected tasks hold a deployment up before somebody is told, in minutes."
  type        = number
  default     = 5

  validation {
    condition     = var.blocked_after_minutes >= 0 && var.blocked_after_minutes <= 1440 && floor(var.blocked_after_minutes) == var.blocked_after_minutes
    error_message = "blocked_after_minutes must be a whole number from 0 to 1440."
  }
}

variable "repeat_after_minutes" {
  description = "After how many minutes an alert is told again if it is still so."
  type        = number
  default     = 60

  validation {
    condition     = var.repeat_after_minutes >= 5 && var.repeat_after_minutes <= 1440 && floor(var.repeat_after_minutes) == var.repeat_after_minutes
    error_message = "repeat_after_minutes must be a whole number from 5 to 1440."
  }
}

variable "deadline_minutes" {
  description = "How long a deployment may take, in minutes, unless its service's tag taskhold:deadline-minutes or CloudFormation says."
  type        = number
  default     = 180

  validation {
    condition     = var.deadline_minutes >= 1 && var.deadline_minutes <= 10080 && floor(var.deadline_minutes) == var.deadline_minutes
    error_message = "deadline_minutes must be a whole number from 1 to 10080."
  }
}

variable "policy" {
  description = "What the function does about a service that protected tasks hold up, unless the service's tag taskhold:policy says otherwise."
  type        = string
  default     = "notify"

  validation {
    condition     = contains(["notify", "release-idle", "raise-desired-count"], var.policy)
    error_message = "policy must be notify, release-idle or raise-desired-count."
  }
}

variable "allow_release_idle" {
  description = "With true the function may release idle tasks where policy or a service's tag says so."
  type        = bool
  default     = false
}

variable "allow_raise_desired_count" {
  description = "With true the function may raise desired counts where policy or a service's tag says so, and is given the permission for it."
  type        = bool
  default     = false
}

variable "release_grace_minutes" {
  description = "How long a task must have been idle before it is released in this way, in minutes."
  type        = number
  default     = 5

  validation {
    condition     = var.release_grace_minutes >= 1 && var.release_grace_minutes <= 1440 && floor(var.release_grace_minutes) == var.release_grace_minutes
    error_message = "release_grace_minutes must be a whole number from 1 to 1440."
  }
}

variable "raise_cool_down_minutes" {
  description = "The least time between two raises of one service's desired count, in minutes."
  type        = number
  default     = 15

  validation {
    condition     = var.raise_cool_down_minutes >= 1 && var.raise_cool_down_minutes <= 1440 && floor(var.raise_cool_down_minutes) == var.raise_cool_down_minutes
    error_message = "raise_cool_down_minutes must be a whole number from 1 to 1440."
  }
}

variable "interrupted_jobs" {
  description = "With true there is a queue to which the function sends every job whose task stopped under it."
  type        = bool
  default     = false
}

variable "log_level" {
  description = "Detail of the function's logs."
  type        = string
  default     = "INFO"

  validation {
    # Not WARN or ERROR: the metrics are log lines without a level, which Lambda takes for INFO, so they would be lost.
    condition     = contains(["TRACE", "DEBUG", "INFO"], var.log_level)
    error_message = "log_level must be TRACE, DEBUG or INFO."
  }
}

variable "log_retention_days" {
  description = "How long the logs are kept, in days."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number of days that CloudWatch Logs knows, such as 30 or 365."
  }
}

variable "architecture" {
  description = "Processor that the package was built for, and that the function runs on. arm64 costs less."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "alarm_topic_arn" {
  description = "ARN of an SNS topic that is told when an alarm goes off. Empty for alarms that tell nobody."
  type        = string
  default     = ""

  validation {
    # Not the module's own alert topic: CloudWatch may not use the key that encrypts it.
    condition     = can(regex("^(arn:aws[a-z-]*:sns:.+)?$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be the ARN of an SNS topic, or empty."
  }
}
