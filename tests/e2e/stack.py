"""template.yaml on the emulated CloudFormation, with its own queues, topic, table, rules, role and policies.

This module repeats nothing of the template. It also takes the settings of the function, its event sources and its
role from the template, with every reference resolved by CloudFormation itself: each is an output of the deployed
stack.

It omits the resources for which moto needs a Docker engine (Lambda: the function, its event sources, its
permissions). Where a rule targets the function, a queue replaces the one in which Lambda keeps asynchronous
invocations.
"""

import json
import subprocess

NAME = "taskhold"
CLUSTER = "video"
INVOCATIONS = "AsynchronousInvocations"
_NO_VALUE = {"Ref": "AWS::NoValue"}
_FUNCTION = {"Fn::GetAtt": ["Function", "Arn"]}
_OF_FUNCTION = ({"Ref": "Function"}, _FUNCTION)
# moto supports neither in CloudFormation; `Stack` sets them through the services' own calls.
_POLICIES = {"AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"}


class Template:
    """template.yaml as CloudFormation receives it."""

    def __init__(self, python_of_sam, path):
        translator = [python_of_sam, str(path.parent / "tests/e2e/translate.py"), str(path)]
        self.declared = json.loads(subprocess.run(translator, check=True, capture_output=True, timeout=60).stdout)

    def of_type(self, *types):
        return {name: one for name, one in self.declared["Resources"].items() if one["Type"] in types}

    def properties(self, name):
        return self.declared["Resources"][name]["Properties"]

    def handed_over(self):
        """The template that the emulator receives."""
        resources = {
            name: one
            for name, one in self.declared["Resources"].items()
            if not one["Type"].startswith("AWS::Lambda::") and one["Type"] not in _POLICIES
        }
        resources = json.loads(json.dumps(resources).replace(json.dumps(_FUNCTION), json.dumps(_queue_arn(INVOCATIONS))))
        for name, rule in self.of_type("AWS::Events::Rule").items():
            if "EventPattern" not in rule["Properties"]:
                # For moto, a rule without a pattern matches every event. The tests fire schedules themselves.
                del resources[name]["Properties"]["Targets"]
        resources[INVOCATIONS] = {"Type": "AWS::SQS::Queue", "Properties": {}}
        outputs = {name: one for name, one in self.declared["Outputs"].items() if one["Value"] not in _OF_FUNCTION}
        outputs |= {_output(at): self._output_of(reference) for at, reference in enumerate(self.references())}
        outputs |= {_holds(name): {"Condition": name, "Value": name} for name in self.declared["Conditions"]}
        return self.declared | {"Resources": resources, "Outputs": outputs}

    def _output_of(self, reference):
        (target,) = reference.values()
        name = target[0] if isinstance(target, list) else target
        condition = self.declared["Resources"].get(name, {}).get("Condition")
        return {"Value": reference} | ({"Condition": condition} if condition else {})

    def references(self):
        """All references that a test may need resolved, in a stable order."""
        wanted = [self.properties("Function"), _queue_ref(INVOCATIONS)]
        of_types = self.of_type("AWS::Lambda::EventSourceMapping", "AWS::IAM::Role", *_POLICIES)
        wanted += [one["Properties"] for one in of_types.values()]
        found = {json.dumps(one): one for part in wanted for one in _references(part) if one not in _OF_FUNCTION}
        return list(found.values())


class Stack:
    """The deployed template."""

    def __init__(self, template, client, parameters):
        self.template = template
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
        cloudformation = client("cloudformation")
        cloudformation.create_stack(
            StackName=NAME,
            TemplateBody=json.dumps(template.handed_over()),
            Parameters=given,
            Capabilities=["CAPABILITY_IAM"],
        )
        stack = cloudformation.describe_stacks(StackName=NAME)["Stacks"][0]
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack
        self.outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
        self._resolved = {
            json.dumps(reference): self.outputs.get(_output(at)) for at, reference in enumerate(template.references())
        }
        self._set_policies(client)

    def resolve(self, value):
        """A part of the template with its references resolved. Empty results are omitted, as in CloudFormation."""
        if value == _NO_VALUE:
            return None
        if _is_choice(value):
            condition, met, otherwise = value["Fn::If"]
            return self.resolve(met if _holds(condition) in self.outputs else otherwise)
        if _is_reference(value):
            return self._resolved[json.dumps(value)]
        if isinstance(value, dict):
            resolved = {name: self.resolve(one) for name, one in value.items()}
            return {name: one for name, one in resolved.items() if one is not None}
        if isinstance(value, list):
            return [one for one in map(self.resolve, value) if one is not None]
        return value

    def environment(self):
        """The function's own variables."""
        return self.resolve(self.template.properties("Function")["Environment"]["Variables"])

    def event_source(self, queue):
        """The settings with which Lambda polls a queue, by the queue's name in the template."""
        sources = self.template.of_type("AWS::Lambda::EventSourceMapping").values()
        of_queue = [one["Properties"] for one in sources if one["Properties"]["EventSourceArn"] == _queue_arn(queue)]
        (settings,) = of_queue
        return self.resolve({name: one for name, one in settings.items() if name != "FunctionName"})

    def queue(self, name):
        """The URL of a queue, by its name in the template."""
        return self.resolve(_queue_ref(name))

    def schedules(self):
        """The payload with which each schedule invokes the function."""
        rules = self.template.of_type("AWS::Events::Rule").values()
        targets = [target for rule in rules for target in rule["Properties"]["Targets"]]
        return [target["Input"] for target in targets if "Input" in target]

    def statements(self):
        """The permissions of the function's role."""
        policies = self.resolve(self.template.properties("FunctionRole")["Policies"])
        return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]

    def _set_policies(self, client):
        for policy in self.template.of_type(*_POLICIES).values():
            properties = self.resolve(policy["Properties"])
            document = json.dumps(properties["PolicyDocument"])
            for url in properties.get("Queues", []):
                client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
            for arn in properties.get("Topics", []):
                client("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=document)


def _queue_arn(name):
    return {"Fn::GetAtt": [name, "Arn"]}


def _queue_ref(name):
    return {"Ref": name}


def _output(at):
    return f"Resolved{at}"


def _holds(condition):
    return f"Holds{condition}"


def _is_choice(value):
    return isinstance(value, dict) and list(value) == ["Fn::If"]


def _is_reference(value):
    return isinstance(value, dict) and list(value) in (["Ref"], ["Fn::GetAtt"], ["Fn::Sub"])


def _references(value):
    """The references of a value, on both sides of a condition."""
    if _is_reference(value):
        if value != _NO_VALUE:
            yield value
    elif isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _references(one)
