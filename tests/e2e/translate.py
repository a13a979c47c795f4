"""Prints template.yaml as CloudFormation receives it, with its `AWS::Serverless` resources expanded by SAM's own
translator.

Run it in the environment that has SAM; the tests run in another one, whose versions of the same packages differ.
"""

import json
import os
import sys

os.environ["AWS_DEFAULT_REGION"] = "eu-west-1"  # the translator requires a Region but calls no service

from samtranslator.public.translator import ManagedPolicyLoader  # noqa: E402
from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402


class AwsManagedPolicies(ManagedPolicyLoader):
    """The managed policies that the translator would look up in IAM: SAM names AWS's own policies by their last part.
    """

    def __init__(self):
        pass

    def load(self):
        names = ["AWSLambdaBasicExecutionRole", "AWSLambdaSQSQueueExecutionRole"]
        return {name: f"arn:aws:iam::aws:policy/service-role/{name}" for name in names}


with open(sys.argv[1], encoding="utf-8") as file:
    template = yaml_parse(file)
# What `sam deploy` does first: the translator accepts only uploaded code.
template["Resources"]["Function"]["Properties"]["CodeUri"] = "s3://bucket/bootstrap.zip"
json.dump(transform(template, {}, AwsManagedPolicies()), sys.stdout)
