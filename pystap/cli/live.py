"""The live kernel as a `Target`: the compiler's view of this machine."""

from __future__ import annotations

import os
import sys

from ..diag import CompileError, Diagnostic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..btf import Btf
    from ..sema.target import Target


def cache_dir() -> str:
    """Return the user's cache folder of ours (the XDG base directory specification)."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "pystap")


class LiveFeatures:
    """Answers `features(name)`; each is found by trying, when first asked."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self._known: dict[str, bool] = {}
        self._features: object | None = None

    def __call__(self, name: str) -> bool:
        if name not in self._known:
            from ..kernel.features import Features

            if self._features is None:
                self._features = Features(self._btf)
            assert isinstance(self._features, Features)
            self._known[name] = self._features.has(name)[0]
        return self._known[name]


def code_of(function: str) -> list[str]:
    """Return the symbols of a function's code; its name where the kernel hides its symbols."""
    from ..kernel.symbols import kallsyms
    from ..kernel.sys import KernelError

    try:
        return kallsyms().code(function)
    except KernelError:
        return [function]


def live_target(*, types: bool = True) -> Target:
    """Return this kernel as a target; CompileError (E310) when it has no types. Parsing alone needs none."""
    from ..btf import BtfError
    from ..btf.cache import open_btf
    from ..kernel.sys import KernelError
    from ..kernel.target import build_key, config, machine, release, vmlinux_btf
    from ..sema.target import Target

    try:
        if types:
            btf = open_btf(vmlinux_btf(), cache_dir(), build_key().encode(), defer=True)
        else:
            btf = open_btf(_NO_TYPES, None, b"")
    except (KernelError, BtfError) as error:
        raise CompileError(
            Diagnostic(
                "E310",
                f"this kernel's type information can't be read: {error}",
                hints=("pystap needs /sys/kernel/btf/vmlinux: a kernel built with CONFIG_DEBUG_INFO_BTF=y",),
            )
        ) from None
    return Target(
        btf=btf,
        features=LiveFeatures(btf),
        arch=machine(),
        release=release(),
        config=lambda n: config(n) or None,
        code=code_of,
    )


# BTF of no types: magic, version, flags, header's length; offset and length of types, of strings.
_NO_TYPES = b"\x9f\xeb\x01\x00" + b"".join([n.to_bytes(4, sys.byteorder) for n in (24, 0, 0, 0, 1)]) + b"\0"


def require_bpf() -> None:
    """Raise CompileError (E311) with all that keeps this user from tracing on this kernel."""
    from ..kernel.features import explain_missing

    missing = explain_missing()
    if missing:
        raise CompileError(
            Diagnostic(
                "E311",
                "this user can't trace on this kernel",
                notes=tuple((reason, None) for reason in missing),
                hints=("run it as root (sudo)",) if os.geteuid() else ("'pystap doctor' says more",),
            )
        )
