"""The declarations of the gate on docs/gate.md: the AWS CLI's is carried out, and each has a time-out that continues the
deployment after the longest wait.
"""

import json
import re
import subprocess
from pathlib import Path

import yaml
from world import AWS, CLUSTER, COMMAND_SECONDS, ENVIRONMENT, GATED

PAGE = (Path(__file__).parents[2] / "docs" / "gate.md").read_text()
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:taskhold"
ROLE = "arn:aws:iam::111122223333:role/hook"
TIMEOUT = {"timeoutInMinutes": 150, "action": "CONTINUE"}
STAGES = ["PRE_SCALE_UP"]
DETAILS = {"taskhold": {"until": "deadline-met", "atMostMinutes": 120}}


def block(language):
    """The block of this language under the heading "Declare the hook"."""
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE.partition("\n## Declare the hook\n")[2], re.DOTALL)
    return found


def test_the_commands_add_the_hook_and_keep_what_the_service_has(world, tmp_path):
    # One that waits for a person already, and a bake time.
    configuration = {**GATED["deploymentConfiguration"], "strategy": "BLUE_GREEN", "bakeTimeInMinutes": 7}
    world.ecs.create_service(cluster=CLUSTER, serviceName="transcode", **{**GATED, "deploymentConfiguration": configuration})
    before = world.described("transcode")["deploymentConfiguration"]
    variables = {
        **ENVIRONMENT,
        "PATH": f"{AWS.parent}:{ENVIRONMENT['PATH']}",
        "AWS_ENDPOINT_URL": world.recorder.endpoint,
        "FUNCTION_ARN": FUNCTION,
        "HOOK_ROLE_ARN": ROLE,
    }
    command = ["sh", "-euc", block("sh")]
    ran = subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
    assert ran.returncode == 0, ran.stderr
    after = world.described("transcode")["deploymentConfiguration"]
    [*kept, added] = after.pop("lifecycleHooks")
    assert kept == before.pop("lifecycleHooks")
    assert after == before
    assert added == {
        "targetType": "AWS_LAMBDA",
        "hookTargetArn": FUNCTION,
        "roleArn": ROLE,
        "lifecycleStages": STAGES,
        "hookDetails": DETAILS,
        "timeoutConfiguration": TIMEOUT,
    }


def test_cloudformation_declares_the_same_hook():
    yaml.SafeLoader.add_constructor("!Ref", lambda loader, node: {"Ref": loader.construct_scalar(node)})
    configuration = yaml.safe_load(block("yaml"))["DeploymentConfiguration"]
    [hook] = configuration["LifecycleHooks"]
    assert (hook["TargetType"], configuration["Strategy"]) == ("AWS_LAMBDA", "BLUE_GREEN")
    assert (hook["HookTargetArn"], hook["RoleArn"]) == ({"Ref": "TaskholdFunctionArn"}, {"Ref": "TaskholdHookRoleArn"})
    assert (hook["LifecycleStages"], json.loads(hook["HookDetails"])) == (STAGES, DETAILS)
    assert hook["TimeoutConfiguration"] == {"TimeoutInMinutes": 150, "Action": "CONTINUE"}


def test_terraform_declares_the_same_hook():
    words = " ".join(block("hcl").split())
    hook = (
        'lifecycle_hook { hook_target_arn = module.taskhold.function_arn role_arn = module.taskhold.hook_role_arn '
        'lifecycle_stages = ["PRE_SCALE_UP"] '
        'hook_details = jsonencode({ taskhold = { until = "deadline-met", atMostMinutes = 120 } }) '
        'timeout_configuration { timeout_in_minutes = 150 action = "CONTINUE" } }'
    )
    assert hook in words


def test_the_time_out_comes_after_the_longest_wait():
    assert TIMEOUT["timeoutInMinutes"] > DETAILS["taskhold"]["atMostMinutes"]
