terraform {
  required_version = ">= 1.3"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # The first in which a function's logs have a format, a level and a group of one's choice.
      version = ">= 5.32"
    }
  }
}
