"""The fixture kernel: a small BTF made by scripts/mkbtf.py."""

from __future__ import annotations

import pathlib

import pytest

from pystap.btf import Btf

KERNEL = pathlib.Path(__file__).parents[2] / "fixtures" / "kernel.btf"


@pytest.fixture(scope="session")
def kernel_bytes() -> bytes:
    return KERNEL.read_bytes()


@pytest.fixture(scope="session")
def kernel(kernel_bytes: bytes) -> Btf:
    return Btf(kernel_bytes)
