#!/usr/bin/env python3
"""Checks that a binary runs on the platform of the template, Amazon Linux 2023 with a given processor, or on any Linux with
the given glibc:

    tests/sam/fits_lambda.py target/lambda/bootstrap/bootstrap x86_64
    tests/sam/fits_lambda.py target/worker/x86_64-unknown-linux-gnu/taskhold-run x86_64 2.17

The dynamic loader rejects a binary that needs a newer glibc than the system has, and a machine with a newer one does
not notice. So this script reads the versions that the binary requires (System V ABI, "Symbol Versioning": section
.gnu.version_r).
"""

import struct
import sys
from dataclasses import dataclass
from pathlib import Path

# Amazon Linux 2023 User Guide, "glibc, gcc, and binutils".
GLIBC_MAX = (2, 34)

# ELF's numbers of machines (e_machine).
MACHINES = {62: "x86_64", 183: "arm64"}
VERSIONS_NEEDED = 0x6FFFFFFE  # sh_type SHT_GNU_verneed


class DoesNotFit(Exception):
    """A binary does not meet a requirement."""


@dataclass(frozen=True)
class Binary:
    """The system requirements of a binary."""

    machine: str
    versions: frozenset[str]

    @property
    def glibc(self) -> tuple[int, ...]:
        """The oldest glibc that provides all it needs; empty for a binary that needs none."""
        numbers = [version.removeprefix("GLIBC_") for version in self.versions if version.startswith("GLIBC_")]
        # GLIBC_PRIVATE has no compatibility promise: such a binary fits its own glibc only.
        if "PRIVATE" in numbers:
            raise DoesNotFit("it asks for GLIBC_PRIVATE, which changes with every glibc")
        return max((tuple(map(int, number.split("."))) for number in numbers), default=())


def read(file: Path) -> Binary:
    """Reads the headers of a 64-bit little-endian ELF file, the format of both Lambda processors."""
    data = file.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        raise DoesNotFit(f"{file} is no 64-bit little-endian ELF file: was it built for Linux?")
    (machine,) = struct.unpack_from("<H", data, 18)
    (sections_at,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    sections = [struct.unpack_from("<IIQQQQII", data, sections_at + size * number) for number in range(count)]
    versions = set()
    for _, kind, _, _, offset, _, names, entries in sections:
        if kind == VERSIONS_NEEDED:
            versions |= versions_in(data, offset, entries, sections[names][4])
    return Binary(MACHINES.get(machine, f"machine {machine}"), frozenset(versions))


def versions_in(data: bytes, at: int, libraries: int, names_at: int) -> set[str]:
    """The names of the required versions of this many libraries: lists of lists, each entry with the offset of the
    next.
    """
    versions = set()
    for _ in range(libraries):
        _, count, _, first, next_library = struct.unpack_from("<HHIII", data, at)
        version_at = at + first
        for _ in range(count):
            _, _, _, name, next_version = struct.unpack_from("<IHHII", data, version_at)
            start = names_at + name
            versions.add(data[start : data.index(b"\0", start)].decode())
            version_at += next_version
        at += next_library
    return versions


def check(file: Path, machine: str, glibc_max: tuple[int, ...] = GLIBC_MAX) -> str:
    """Returns a sentence about a binary that fits."""
    binary = read(file)
    if binary.machine != machine:
        raise DoesNotFit(f"{file} is for {binary.machine}, and {machine} is wanted")
    needed = ".".join(map(str, binary.glibc)) or "none"
    if binary.glibc > glibc_max:
        most = ".".join(map(str, glibc_max))
        make = "make build" if glibc_max == GLIBC_MAX else "make worker"
        raise DoesNotFit(f"{file} needs glibc {needed}, and has to run with {most}: build it with `{make}`")
    return f"{file}: {file.stat().st_size / 1e6:.1f} MB, for {machine}, needs glibc {needed}"


if __name__ == "__main__":
    try:
        glibc_max = tuple(map(int, sys.argv[3].split("."))) if sys.argv[3:] else GLIBC_MAX
        print(check(Path(sys.argv[1]), sys.argv[2], glibc_max))
    except (DoesNotFit, OSError) as problem:
        sys.exit(str(problem))
