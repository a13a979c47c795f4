"""The AWS CLI's own parser accepts a command of each shape that taskhold suggests.

`tests/suggestions.rs` compares the shapes with those that it carries out.
"""

import contextlib
import io
import os
import shlex
from pathlib import Path

import awscli
import awscli.clidriver
import pytest
from world import ENVIRONMENT

LINES = (Path(__file__).parents[1] / "suggestions" / "commands.txt").read_text().splitlines()
# Version 1 of the CLI has no such option: it always takes the payload as it is.
FORMAT = "--cli-binary-format raw-in-base64-out "


def complaint_of(line):
    """What the CLI says about a command whose request cannot reach its service."""
    if awscli.__version__.startswith("1."):
        line = line.replace(FORMAT, "")
    program, *words = shlex.split(line)
    assert program == "aws"
    complaints, before = io.StringIO(), dict(os.environ)
    os.environ.clear()
    os.environ.update(ENVIRONMENT)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(complaints):
            awscli.clidriver.create_clidriver().main(["--endpoint-url", "http://127.0.0.1:9", *words])
    except SystemExit:  # for words that it does not understand
        pass
    finally:
        os.environ.clear()
        os.environ.update(before)
    return complaints.getvalue()


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_the_cli_accepts_each_shape_of_command(line):
    assert "Could not connect to the endpoint URL" in complaint_of(line)


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_the_cli_rejects_each_shape_with_a_word_too_many(line):
    assert "Could not connect" not in complaint_of(f"{line} --mood fine")
