"""`make deploy` keeps the parameters of a stack and refuses to give it another cluster.

The Makefile, scripts/deploy, its prompts and the SAM CLI are real. moto is CloudFormation and S3; the build is a stand-in.
"""

import platform

HOST = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
OTHER = {"arm64": "x86_64", "x86_64": "arm64"}[HOST]
# The answers of a careful first deployment.
FIRST = {"ClusterName": "video", "DryRun": "true", "AlertMail": "ops@example.com", "SweepMinutes": "7"}


def test_enter_keeps_every_parameter_that_the_stack_has(checkout, account):
    before = checkout.files()
    first = checkout.deploy(**FIRST)
    assert first.status == 0, first.output
    chosen = account.parameters("taskhold")
    assert chosen == checkout.defaults() | FIRST | {"Architecture": HOST}
    # SAM shows the change set and asks last.
    assert set(first.names()) == {*chosen, "Deploy this changeset?"} - {"Architecture"}
    assert first.names()[-1] == "Deploy this changeset?"

    second = checkout.deploy()
    assert second.status == 0, second.output
    assert second.sent() == first.sent() == chosen
    assert "No changes to deploy" in second.output, "CloudFormation compares too"
    assert account.parameters("taskhold") == chosen
    offered = dict(second.offered)
    assert (offered["DryRun"], offered["AlertMail"], offered["SweepMinutes"]) == ("true", "ops@example.com", "7")
    assert "ClusterName" not in offered, "a stack keeps its cluster"
    assert checkout.files() == before, "answers are saved in no file"


def test_another_clone_keeps_them_too_and_a_changed_answer_changes_nothing_else(checkout, account):
    # Deployed from another machine, with tags.
    parameters = checkout.defaults() | FIRST | {"Architecture": OTHER}
    tags = [{"Key": "cost:centre", "Value": "video 7"}, {"Key": "team", "Value": "encoding"}]
    create_stack(account, "taskhold", parameters, tags)
    talk = checkout.deploy(DryRun="false", AlertMail="none", SweepMinutes=["seven", "1", ""])
    assert talk.status == 0, talk.output
    assert account.parameters("taskhold") == parameters | {"DryRun": "false", "AlertMail": ""}
    assert talk.names().count("SweepMinutes") == 3, "what CloudFormation would refuse is asked for again"
    assert "DryRun changes from true to false" in talk.output
    assert "make deploy STACK=taskhold CONFIRM=no PARAMETERS='DryRun=false AlertMail=none'" in talk.output
    assert checkout.built()[0].endswith(f"build ARCH={OTHER}"), "the stack keeps its architecture"
    (change_set,) = account.change_sets
    assert change_set["tags"] == {tag["Key"]: tag["Value"] for tag in tags}


def test_a_second_cluster_has_a_stack_of_its_own(checkout, account):
    first = checkout.defaults() | FIRST
    create_stack(account, "taskhold", first)
    talk = checkout.deploy("STACK=taskhold-audio", ClusterName="audio")
    assert talk.status == 0, talk.output
    assert account.parameters("taskhold-audio") == checkout.defaults() | {"ClusterName": "audio", "Architecture": HOST}
    assert account.parameters("taskhold") == first


def test_another_cluster_for_an_existing_stack_is_refused_before_anything_is_built(checkout, account):
    create_stack(account, "taskhold", checkout.defaults() | FIRST)
    talk = checkout.deploy("PARAMETERS=ClusterName=audio")
    assert talk.status != 0
    assert "stack `taskhold` serves cluster `video`" in talk.output
    assert "make deploy STACK=NAME" in talk.output
    assert (talk.offered, checkout.built()) == ([], [])
    assert account.parameters("taskhold")["ClusterName"] == "video"


def test_a_stack_of_something_else_is_refused(checkout, account):
    account.create("website", {"Parameters": {"ClusterName": {"Type": "String", "Default": "video"}}, **BUCKET})
    talk = checkout.deploy("STACK=website")
    assert talk.status != 0
    assert "stack `website` is not a taskhold stack" in talk.output
    assert checkout.built() == []


def test_a_stack_whose_creation_failed_is_deleted_first_and_loses_no_answer(checkout, account):
    create_stack(account, "taskhold", checkout.defaults() | FIRST | {"Architecture": "x86_64"})
    account.set_status("taskhold", "ROLLBACK_COMPLETE")
    talk = checkout.deploy()
    assert talk.status != 0
    assert "aws cloudformation delete-stack --stack-name taskhold" in talk.output
    again = "ClusterName=video DryRun=true AlertMail=ops@example.com SweepMinutes=7"
    assert f"make deploy STACK=taskhold CONFIRM=no ARCH=x86_64 PARAMETERS='{again}'" in talk.output
    assert checkout.built() == []


def test_a_stack_that_was_never_confirmed_is_a_new_one(checkout, account):
    create_stack(account, "taskhold", checkout.defaults() | FIRST)
    account.set_status("taskhold", "REVIEW_IN_PROGRESS")
    run = checkout.deploy_without_terminal("CONFIRM=no")
    assert "ClusterName ``: needs a value" in run.stdout


def test_a_pipeline_deploys_without_questions_and_keeps_what_it_does_not_name(checkout, account):
    create_stack(account, "taskhold", checkout.defaults() | FIRST | {"Architecture": HOST})
    run = checkout.deploy_without_terminal("CONFIRM=no", f"ARCH={OTHER}", "PARAMETERS=DryRun=false LogLevel=DEBUG")
    assert run.returncode == 0, run.stdout
    changed = {"DryRun": "false", "LogLevel": "DEBUG", "Architecture": OTHER}
    assert account.parameters("taskhold") == checkout.defaults() | FIRST | changed
    assert checkout.built()[0].endswith(f"build ARCH={OTHER}")


def test_what_a_pipeline_cannot_answer_or_misspells_is_refused_before_anything_is_built(checkout, account):
    cases = {
        (): "there is no terminal to answer on",
        ("CONFIRM=no",): "ClusterName ``: needs a value",
        ("CONFIRM=no", "PARAMETERS=Cluster=video"): "`Cluster=video` is not NAME=VALUE",
        ("CONFIRM=no", "PARAMETERS=ClusterName=video DryRun=yes"): "DryRun `yes`: must be one of true, false",
        ("CONFIRM=no", "PARAMETERS=ClusterName=video AlertMail=ops"): "must be a mail address, or empty",
        ("CONFIRM=no", "PARAMETERS=ClusterName=video", "ARCH=mips"): "Architecture `mips`: must be one of",
    }
    for variables, reason in cases.items():
        run = checkout.deploy_without_terminal(*variables)
        assert run.returncode != 0, variables
        assert reason in run.stdout, (variables, run.stdout)
    assert checkout.built() == []
    assert account.names() == set()


BUCKET = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}}


def create_stack(account, name, parameters, tags=()):
    """Creates a stack with these parameters. Its resources do not matter here."""
    declared = {parameter: {"Type": "String"} for parameter in parameters}
    values = [{"ParameterKey": parameter, "ParameterValue": value} for parameter, value in parameters.items()]
    account.create(name, {"Parameters": declared, **BUCKET}, Parameters=values, Tags=list(tags))
