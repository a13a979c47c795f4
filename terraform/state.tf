# What is known of tasks and services: an item for each, found by its ARN. Not to be restored to an earlier moment: a state store of
# yesterday does not know the jobs of today, and the function would release tasks under them. An empty one is harmless.
resource "aws_dynamodb_table" "store" {
  name         = "${var.name}-store"
  billing_mode = "PAY_PER_REQUEST" # jobs come in bursts, and a throttled store is a task that is protected later
  hash_key     = "key"

  attribute {
    name = "key"
    type = "S"
  }

  attribute {
    name = "open"
    type = "S"
  }

  # What a sweep has to look at: only items with the attribute are in it, and only by their keys.
  global_secondary_index {
    name            = "open"
    hash_key        = "open"
    projection_type = "KEYS_ONLY"
  }

  ttl {
    attribute_name = "expires"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = false
  }
}
