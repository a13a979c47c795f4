"""The permissions of a role, by its statements: enough of IAM for the role of template.yaml. It denies everything
that it cannot evaluate.
"""

from fnmatch import fnmatchcase

# IAM's prefix of each service.
_PREFIXES = {
    "Application Auto Scaling": "application-autoscaling",
    "DynamoDB": "dynamodb",
    "ECS": "ecs",
    "SNS": "sns",
    "SQS": "sqs",
}

# Service Authorization Reference, "Amazon SQS": a batch needs the permission for a message.
_LEAVE = {"sqs:SendMessageBatch": "sqs:SendMessage", "sqs:DeleteMessageBatch": "sqs:DeleteMessage"}


class Permissions:
    """The permissions of one role. `account` is the Region and the account, as in `eu-west-1:111122223333`."""

    def __init__(self, statements, account):
        self._statements, self._account = statements, account

    def allow(self, call):
        """Whether a call is allowed for all of its resources."""
        action = f"{_PREFIXES[call.service]}:{call.operation}"
        action = _LEAVE.get(action, action)
        return all(self._allows(action, resource, call.request) for resource in self._resources(call))

    def _allows(self, action, resource, request):
        effects = {
            statement["Effect"]
            for statement in self._statements
            if _names(statement["Action"], action)
            and _names(statement["Resource"], resource)
            and self._holds(statement.get("Condition"), request)
        }
        return effects == {"Allow"}

    def _holds(self, condition, request):
        if not condition:
            return True
        return condition == {"ArnEquals": {"ecs:cluster": self._cluster_arn(request.get("cluster", "default"))}}

    def _resources(self, call):
        """The ARNs of a call's resources in IAM. Service Authorization Reference."""
        request = call.request
        if call.service == "ECS":
            return self._resources_of_ecs(call.operation, request)
        if call.service == "DynamoDB":
            index = f"/index/{request['IndexName']}" if "IndexName" in request else ""
            return [f"arn:aws:dynamodb:{self._account}:table/{request['TableName']}{index}"]
        if call.service == "SQS":
            return [f"arn:aws:sqs:{self._account}:{request['QueueUrl'].rsplit('/', 1)[1]}"]
        if call.service == "SNS":
            return [request["TopicArn"]]
        return ["*"]

    def _resources_of_ecs(self, operation, request):
        kind = {"UpdateTaskProtection": "tasks", "GetTaskProtection": "tasks", "DescribeTasks": "tasks"}.get(operation)
        if operation == "DescribeServiceDeployments":
            return request["serviceDeploymentArns"]
        kind = kind or {"DescribeServices": "services", "UpdateService": "service"}.get(operation)
        if kind is None:
            return ["*"]  # a list action has no resource to name
        named = [request[kind]] if kind == "service" else request[kind]
        cluster = self._cluster_arn(request["cluster"]).rsplit("/", 1)[1]
        full = f"arn:aws:ecs:{self._account}:{kind.removesuffix('s')}/{cluster}/"
        return [one if one.startswith("arn:") else full + one for one in named]

    def _cluster_arn(self, given):
        return given if given.startswith("arn:") else f"arn:aws:ecs:{self._account}:cluster/{given}"


def _names(patterns, name):
    return any(fnmatchcase(name, pattern) for pattern in ([patterns] if isinstance(patterns, str) else patterns))
