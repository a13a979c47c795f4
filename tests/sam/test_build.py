"""The output of `make build` runs on Amazon Linux 2023, and is the same in any folder."""

import zipfile

import pytest
from fits_lambda import DoesNotFit, check, read
from stage import ARCHITECTURE, BINARY, TARGET

OTHER_ARCHITECTURE = {"x86_64": "arm64", "arm64": "x86_64"}[ARCHITECTURE]


@pytest.fixture(scope="session")
def binary():
    if not BINARY.is_file():
        pytest.exit(f"{BINARY} is not there: `make build` makes it", returncode=1)
    return BINARY


def test_the_binary_fits_amazon_linux_2023(binary):
    assert f"for {ARCHITECTURE}" in check(binary, ARCHITECTURE)


def test_a_binary_that_needs_a_newer_glibc_is_found_out(binary, tmp_path):
    newest = "GLIBC_" + ".".join(map(str, read(binary).glibc))
    newer = tmp_path / "newer"
    newer.write_bytes(binary.read_bytes().replace(newest.encode(), b"GLIBC_2.99"[: len(newest)]))
    with pytest.raises(DoesNotFit, match=r"needs glibc 2\.99"):
        check(newer, ARCHITECTURE)


def test_a_binary_for_another_processor_is_found_out(binary):
    with pytest.raises(DoesNotFit, match=f"is for {ARCHITECTURE}, and {OTHER_ARCHITECTURE} is wanted"):
        check(binary, OTHER_ARCHITECTURE)


def test_what_is_no_binary_is_found_out(tmp_path):
    script = tmp_path / "bootstrap"
    script.write_text("#!/bin/sh\n")
    with pytest.raises(DoesNotFit, match="no 64-bit little-endian ELF file"):
        check(script, ARCHITECTURE)


def test_nothing_that_exists_for_tests_is_in_the_binary(binary):
    debug_build = TARGET / "debug/bootstrap"
    simulated_clock = b"TASKHOLD_SIMULATED_TIMEOUT_SECONDS"
    assert simulated_clock not in binary.read_bytes()
    if debug_build.is_file():
        assert simulated_clock in debug_build.read_bytes(), "the name has changed"


def test_sam_and_terraform_deploy_the_binary_that_cargo_lambda_built(binary):
    built = (TARGET / "lambda/bootstrap/bootstrap").read_bytes()
    assert binary.read_bytes() == built
    with zipfile.ZipFile(TARGET / "lambda/bootstrap.zip") as package:
        (entry,) = package.infolist()
        assert package.read(entry) == built
    assert entry.filename == "bootstrap"
    assert entry.external_attr >> 16 == 0o100755, "Lambda starts it"
