# Task records and service records: one item each, keyed by ARN. Never restore the table to an earlier point in
# time: yesterday's state store lists none of today's jobs, and the function would release tasks with running
# jobs. An empty table is harmless.
resource "aws_dynamodb_table" "state" {
  name         = "${var.name}-store"
  billing_mode = "PAY_PER_REQUEST" # jobs arrive in bursts, and a throttled table delays protection
  hash_key     = "key"

  attribute {
    name = "key"
    type = "S"
  }

  attribute {
    name = "open"
    type = "S"
  }

  # The records that a sweep must reconcile: only items with this attribute, and only their keys.
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
