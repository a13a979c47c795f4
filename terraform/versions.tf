terraform {
  required_version = ">= 1.3"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # The first version that supports a function's log format, log level and log group.
      version = ">= 5.32"
    }
  }
}
