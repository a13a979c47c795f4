# The parameters of template.yaml, and two that only Terraform needs: the name prefix and the path of the
# package. A test compares names, defaults and bounds with the template's.

variable "name" {
  description = "Name of the function and prefix of all other names. One name serves one cluster."
  type        = string
  default     = "taskhold"

  validation {
    # A function name has at most 64 characters, and the queue names append to it. Role names also have at most
    # 64, of which the provider appends 26.
    condition     = can(regex("^[A-Za-z0-9_-]{1,30}$", var.name))
    error_message = "name must be 1 to 30 letters, digits, hyphens and underscores."
  }
}

variable "package" {
  description = "Path of the zip file with the function's binary. `make build` writes target/lambda/bootstrap.zip."
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
  description = "If true, the function logs the changes that it would make in ECS, but makes none."
  type        = bool
  default     = false
}

variable "require_sender_task" {
  description = "Recommended: true. If true, the function accepts a job message only if its sender used the task role credentials of the task that it names. Needs a trust policy of the task role that admits ecs-tasks.amazonaws.com only."
  type        = bool
  default     = false
}

variable "alert_mail" {
  description = "Mail address that receives alerts after it confirms the subscription. Empty for none; others can subscribe to the alert topic."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([^@ ]+@[^@ ]+)?$", var.alert_mail))
    error_message = "alert_mail must be a mail address, or empty."
  }
}

variable "sweep_minutes" {
  description = "Minutes between two sweeps, which reconcile every service of the cluster in case an event was lost."
  type        = number
  default     = 5

  validation {
    # For 1, EventBridge requires `minute`, but the schedule uses `minutes`.
    condition     = var.sweep_minutes >= 2 && var.sweep_minutes <= 60 && floor(var.sweep_minutes) == var.sweep_minutes
    error_message = "sweep_minutes must be a whole number from 2 to 60."
  }
}

variable "blocked_after_minutes" {
  description = "Minutes that protected tasks may block a deployment before the function sends an alert. It waits longer while their jobs are expected to end in time."
  type        = number
  default     = 5

  validation {
    condition     = var.blocked_after_minutes >= 0 && var.blocked_after_minutes <= 1440 && floor(var.blocked_after_minutes) == var.blocked_after_minutes
    error_message = "blocked_after_minutes must be a whole number from 0 to 1440."
  }
}

variable "scale_in_blocked_after_minutes" {
  description = "Minutes that a scale-in may wait beyond the expected end of its jobs before the function sends an alert."
  type        = number
  default     = 60

  validation {
    condition     = var.scale_in_blocked_after_minutes >= 0 && var.scale_in_blocked_after_minutes <= 1440 && floor(var.scale_in_blocked_after_minutes) == var.scale_in_blocked_after_minutes
    error_message = "scale_in_blocked_after_minutes must be a whole number from 0 to 1440."
  }
}

variable "repeat_after_minutes" {
  description = "Minutes after which an alert is repeated while its incident is open."
  type        = number
  default     = 60

  validation {
    condition     = var.repeat_after_minutes >= 5 && var.repeat_after_minutes <= 1440 && floor(var.repeat_after_minutes) == var.repeat_after_minutes
    error_message = "repeat_after_minutes must be a whole number from 5 to 1440."
  }
}

variable "deadline_minutes" {
  description = "Deadline of a deployment in minutes, unless the service's tag taskhold:deadline-minutes or CloudFormation sets one."
  type        = number
  default     = 180

  validation {
    condition     = var.deadline_minutes >= 1 && var.deadline_minutes <= 10080 && floor(var.deadline_minutes) == var.deadline_minutes
    error_message = "deadline_minutes must be a whole number from 1 to 10080."
  }
}

variable "policy" {
  description = "Remediation for a deployment that protected tasks block, unless the service's tag taskhold:policy sets another."
  type        = string
  default     = "notify"

  validation {
    condition     = contains(["notify", "release-idle", "raise-desired-count"], var.policy)
    error_message = "policy must be notify, release-idle or raise-desired-count."
  }
}

variable "allow_release_idle" {
  description = "If true, the function may release idle tasks where policy or a service's tag selects it."
  type        = bool
  default     = false
}

variable "allow_raise_desired_count" {
  description = "If true, the function may raise desired counts where policy or a service's tag selects it, and gets the permission."
  type        = bool
  default     = false
}

variable "release_grace_minutes" {
  description = "Minutes that a task must be idle before the function releases it."
  type        = number
  default     = 5

  validation {
    condition     = var.release_grace_minutes >= 1 && var.release_grace_minutes <= 1440 && floor(var.release_grace_minutes) == var.release_grace_minutes
    error_message = "release_grace_minutes must be a whole number from 1 to 1440."
  }
}

variable "raise_cool_down_minutes" {
  description = "Minimum number of minutes between two raises of a service's desired count."
  type        = number
  default     = 15

  validation {
    condition     = var.raise_cool_down_minutes >= 1 && var.raise_cool_down_minutes <= 1440 && floor(var.raise_cool_down_minutes) == var.raise_cool_down_minutes
    error_message = "raise_cool_down_minutes must be a whole number from 1 to 1440."
  }
}

variable "finished_job_retention_hours" {
  description = "Hours that the function remembers finished jobs, so that a late message revives none. Keep it above 96, the retention of the job queue."
  type        = number
  default     = 120

  validation {
    condition     = var.finished_job_retention_hours >= 1 && var.finished_job_retention_hours <= 336 && floor(var.finished_job_retention_hours) == var.finished_job_retention_hours
    error_message = "finished_job_retention_hours must be a whole number from 1 to 336."
  }
}

variable "linger_seconds" {
  description = "Seconds that a task keeps its protection after its last job, so that its next job may start first. 0 clears it at once."
  type        = number
  default     = 15

  validation {
    condition     = var.linger_seconds >= 0 && var.linger_seconds <= 900 && floor(var.linger_seconds) == var.linger_seconds
    error_message = "linger_seconds must be a whole number from 0 to 900."
  }
}

variable "batching_window_seconds" {
  description = "Seconds that Lambda waits for more job messages, so that tasks share protection calls. With 0, a job that starts alone is protected sooner, and many that start at once later."
  type        = number
  default     = 1

  validation {
    condition     = var.batching_window_seconds >= 0 && var.batching_window_seconds <= 10 && floor(var.batching_window_seconds) == var.batching_window_seconds
    error_message = "batching_window_seconds must be a whole number from 0 to 10."
  }
}

variable "interrupted_jobs" {
  description = "If true, the module creates a queue to which the function sends every job that was running when its task stopped."
  type        = bool
  default     = false
}

variable "log_level" {
  description = "Log level of the function."
  type        = string
  default     = "INFO"

  validation {
    # Not WARN or ERROR: metrics are log lines without a level. Lambda treats them as INFO and would drop them.
    condition     = contains(["TRACE", "DEBUG", "INFO"], var.log_level)
    error_message = "log_level must be TRACE, DEBUG or INFO."
  }
}

variable "log_retention_days" {
  description = "Log retention in days."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number of days that CloudWatch Logs knows, such as 30 or 365."
  }
}

variable "architecture" {
  description = "Instruction set that the package is built for and the function runs on. arm64 costs less."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "alarm_topic_arn" {
  description = "ARN of the SNS topic that the alarms notify. Empty for alarms without an action."
  type        = string
  default     = ""

  validation {
    # Do not use the module's own alert topic: CloudWatch has no access to the key that encrypts it.
    condition     = can(regex("^(arn:aws[a-z-]*:sns:.+)?$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be the ARN of an SNS topic, or empty."
  }
}
