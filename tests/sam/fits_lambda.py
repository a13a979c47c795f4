#!/usr/bin/env python3
"""Tells whether a binary runs where the template sends it, Amazon Linux 2023 on a processor:

    tests/sam/fits_lambda.py target/lambda/bootstrap/bootstrap x86_64

The dynamic loader refuses a binary that wants a newer glibc than the system has, and a machine with a newer one does not notice.
So the versions that the binary asks for are read from it (System V ABI, "Symbol Versioning": section .gnu.version_r).
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
    """What is wrong with a binary."""


@dataclass(frozen=True)
class Binary:
    """What a binary asks of the system that starts it."""

    machine: str
    versions: frozenset[str]

    @property
    def glibc(self) -> tuple[int, ...]:
        """The oldest glibc that has all it needs; nothing for one that needs none."""
        numbers = [version.removeprefix("GLIBC_") for version in self.versions if version.startswith("GLIBC_")]
        # GLIBC_PRIVATE is a promise to nobody: such a binary fits its own glibc alone.
        if "PRIVATE" in numbers:
            raise DoesNotFit("it asks for GLIBC_PRIVATE, which changes with every glibc")
        return max((tuple(map(int, number.split("."))) for number in numbers), default=())


def read(file: Path) -> Binary:
    """Reads the headers of a 64-bit little-endian ELF file, as both of Lambda's processors have them."""
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
    """The names of the versions wanted of so many libraries: lists of lists, each entry with the distance to the next."""
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


def check(file: Path, machine: str) -> str:
    """A sentence about a binary that fits."""
    binary = read(file)
    if binary.machine != machine:
        raise DoesNotFit(f"{file} is for {binary.machine}, and {machine} is wanted")
    told = ".".join(map(str, binary.glibc)) or "none"
    if binary.glibc > GLIBC_MAX:
        most = ".".join(map(str, GLIBC_MAX))
        raise DoesNotFit(f"{file} needs glibc {told}, and Amazon Linux 2023 has {most}: build it with `make build`")
    return f"{file}: {file.stat().st_size / 1e6:.1f} MB, for {machine}, needs glibc {told}"


if __name__ == "__main__":
    try:
        print(check(Path(sys.argv[1]), sys.argv[2]))
    except (DoesNotFit, OSError) as problem:
        sys.exit(str(problem))
