"""The builtin functions of both languages: one entry each in TABLE.

An entry says what the compiler must know: operand and result types, where it can run, and its
effects. What it does stands in two other places, paired with this table by a test: the kernel
stage's code in `backend/ebpf/builtins.py`, the user stage's in `runtime/functions/`.
"""

from __future__ import annotations

from .table import TABLE, Builtin

__all__ = ["TABLE", "Builtin"]
