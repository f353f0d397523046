"""Lets short bodies take the ways that only long ones take: pieces, functions of their own, islands."""

from __future__ import annotations

from pystap.backend.ebpf import islands, lir, lower, outline, pieces


def act_long(patch):
    """Set every threshold so low that any body is long. patch: pytest's monkeypatch."""
    patch.setattr(pieces, "LONG", 1)
    patch.setattr(pieces, "_BRANCHES", 1)
    patch.setattr(lower, "MANY_BRANCHES", 0)
    patch.setattr(outline, "FEW", 0)
    patch.setattr(lir, "_LONG_TAIL", 8)
    patch.setattr(islands, "REACH", 30)
    patch.setattr(islands, "STEP", 200)
