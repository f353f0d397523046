"""The live kernel as a `Target`: the compiler's view of this machine."""

from __future__ import annotations

import os
import sys

from ..diag import CompileError, Diagnostic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..btf import Btf
    from ..debuginfo import DebugInfo, LibraryMissing
    from ..kernel.features import Features
    from ..sema.target import Target


def cache_dir() -> str:
    """Return the user's cache folder of ours (the XDG base directory specification)."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "pystap")


class LiveFeatures:
    """Answers `features(name)`; each is found by trying, when first asked."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self._features: Features | None = None

    def __call__(self, name: str) -> bool:
        if self._features is None:
            from ..kernel.features import Features

            self._features = Features(self._btf, remember=True)
        return self._features.has(name)[0]


class LiveSymbols:
    """Answers `address(name)` of a symbol; they are read when first asked for."""

    def __init__(self) -> None:
        self._known: dict[str, int | None] = {}

    def address(self, name: str) -> int | None:
        if name not in self._known:
            from ..kernel.symbols import kallsyms
            from ..kernel.sys import KernelError

            try:
                self._known[name] = kallsyms().address(name) or None
            except KernelError:
                self._known[name] = None
        return self._known[name]


class LiveModules:
    """Answers `module(name)`: the types of a module, loaded or not; None if there is no such module, or it has no types."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self._known: dict[str, Btf | None] = {}

    def __call__(self, name: str) -> Btf | None:
        if name not in self._known:
            self._known[name] = self._open(name)
        return self._known[name]

    def _open(self, name: str) -> Btf | None:
        from ..btf import BtfError
        from ..btf.cache import open_btf
        from ..kernel.modules import ModuleFiles
        from ..kernel.sys import KernelError
        from ..kernel.target import build_key, module_btf, module_key

        key = module_key(name)
        try:
            data: bytes | None = module_btf(name)
        except KernelError:
            try:
                elf = ModuleFiles().read(name)
            except KernelError:
                return None
            data = elf.section(".BTF") if elf is not None else None
            key = f"{build_key()}|{name}|file"
        if not data:
            return None
        try:
            return open_btf(data, cache_dir(), key.encode(), self._btf)
        except BtfError:
            return None


class LiveDebugInfo:
    """Answers `debuginfo(module)`: what is installed for what runs; None where nothing is, or it is another build's."""

    def __init__(self) -> None:
        self._known: dict[str, DebugInfo | LibraryMissing | None] = {}

    def __call__(self, module: str) -> DebugInfo | None:
        from ..debuginfo import LibraryMissing

        if module not in self._known:
            try:
                self._known[module] = self._open(module)
            except LibraryMissing as error:
                self._known[module] = error
        known = self._known[module]
        if isinstance(known, LibraryMissing):
            raise known
        return known

    @staticmethod
    def _open(module: str) -> DebugInfo | None:
        from ..debuginfo import DebugInfo, DebugInfoError, LibraryMissing
        from ..kernel.debugfiles import candidates, wanted_id

        wanted = wanted_id(module)
        for path in candidates(module, wanted):
            try:
                info = DebugInfo(path, cache_dir(), wanted)
                if (info.known or info.elf.has(".debug_info")) and wanted:
                    return info
            except LibraryMissing:
                raise
            except DebugInfoError:
                continue  # no_debuginfo tells of it
        return None


def no_debuginfo(module: str) -> tuple[str, ...]:
    """Say what to do where there is no debug information: what to install, and which files are another build's."""
    from ..kernel.debugfiles import candidates, how_to_install, wanted_id

    wanted = wanted_id(module)
    foreign = (
        candidates(module, wanted) if wanted or not module else []
    )  # a module that isn't loaded has no build id
    other = tuple(f"{path} isn't this build's, has no lines or is damaged" for path in foreign[:2])
    return (*how_to_install(module), *other)


def live_target(*, types: bool = True) -> Target:
    """Return this kernel as a target; CompileError (E310) when its types are damaged. Parsing alone needs none.

    A kernel without any is a target with `untyped`: what needs types says so where it needs them.
    """
    from .. import codeindex
    from ..btf.cache import open_btf
    from ..kernel import boot
    from ..kernel.cpus import possible_cpus
    from ..kernel.functions import Functions
    from ..kernel.target import config, machine, preemptible, release
    from ..sema.target import Target

    btf, untyped = _types() if types else (open_btf(_NO_TYPES, None, b""), "")
    for cached in (codeindex, boot):
        cached.use_cache(cache_dir())
    return Target(
        btf=btf,
        features=LiveFeatures(btf),
        arch=machine(),
        release=release(),
        config=lambda n: config(n) or None,
        module=LiveModules(btf),
        symbols=LiveSymbols(),
        functions=Functions(),
        debuginfo=LiveDebugInfo(),
        no_debuginfo=no_debuginfo,
        cpus=max(possible_cpus()) + 1,
        untyped=untyped,
        tracepoints=_tracepoints,
        preemptible=preemptible(),
    )


def _types() -> tuple[Btf, str]:
    """Return the kernel's types, or none and why there are none."""
    from ..btf import BtfError
    from ..btf.cache import open_btf
    from ..kernel.sys import KernelError
    from ..kernel.target import build_key, vmlinux_btf

    try:
        return open_btf(vmlinux_btf(), cache_dir(), build_key().encode(), defer=True), ""
    except KernelError as error:
        return open_btf(_NO_TYPES, None, b""), f"/sys/kernel/btf/vmlinux: {error.strerror}"
    except BtfError as error:
        raise CompileError(
            Diagnostic(
                "E310",
                f"this kernel's type information can't be read: {error}",
                hints=("pystap needs /sys/kernel/btf/vmlinux: a kernel built with CONFIG_DEBUG_INFO_BTF=y",),
            )
        ) from None


def _tracepoints() -> dict[str, str]:
    from .listings import systems

    return systems()


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
