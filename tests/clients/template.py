"""The event patterns of template.yaml, as CloudFormation passes them to EventBridge for given parameters."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]

# A stack for the cluster of the payloads in events/.
PARAMETERS = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "111122223333",
    "ClusterName": "video",
}


class Loader(yaml.SafeLoader):
    """Expands CloudFormation's short functions: {"Fn::Sub": …}, {"Ref": …}."""


def _function(loader, suffix, node):
    construct = {
        yaml.ScalarNode: loader.construct_scalar,
        yaml.SequenceNode: lambda node: loader.construct_sequence(node, deep=True),
        yaml.MappingNode: lambda node: loader.construct_mapping(node, deep=True),
    }
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": construct[type(node)](node)}


Loader.add_multi_constructor("!", _function)


def resolved(value, parameters):
    """Resolves references (CloudFormation User Guide, "Ref" and "Fn::Sub"). An unknown function is an error."""
    if isinstance(value, list):
        return [resolved(item, parameters) for item in value]
    if not isinstance(value, dict):
        return value
    if list(value) == ["Ref"]:
        return parameters[value["Ref"]]
    if list(value) == ["Fn::Sub"]:
        return re.sub(r"\$\{([^!}][^}]*)\}", lambda found: str(parameters[found[1]]), value["Fn::Sub"])
    functions = [name for name in value if name.startswith("Fn::")]
    assert not functions, f"{functions} is not known here"
    return {name: resolved(item, parameters) for name, item in value.items()}


def patterns(**changed):
    """The pattern of each rule by its name: the function's events in SAM's form, and rules in CloudFormation's."""
    resources = yaml.load((ROOT / "template.yaml").read_text(), Loader)["Resources"]
    found = {}
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Events::Rule":
            found[name] = resource["Properties"].get("EventPattern")
        for event, declared in resource.get("Properties", {}).get("Events", {}).items():
            if declared["Type"] in ("EventBridgeRule", "CloudWatchEvent"):
                found[event] = declared["Properties"]["Pattern"]
    parameters = {**PARAMETERS, **changed}
    return {name: resolved(pattern, parameters) for name, pattern in found.items() if pattern}
