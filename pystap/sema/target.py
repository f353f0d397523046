"""What a script is compiled for: a value, no system calls."""

from __future__ import annotations

from ..node import Node
from ..options import Options
from ..program import CPUS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..btf import Btf
    from ..debuginfo import DebugInfo

__all__ = ["Options", "Target"]

HZ = 250


class Target(Node):
    """The kernel and machine.

    btf: its types; symbols: what answers `address(name)` or None; features: says whether the kernel can do
    something, by name; config: the value of a CONFIG_ name, or None; module: the
    types of a module (which continue `btf`'s), or None where there is no such module; debuginfo: what the DWARF of the
    kernel ("") or of a module says, or None where it isn't installed; functions: the names of functions, of the kernel and
    of modules, as `kernel.functions.Functions` tells them, and `numbers`, which stand for names in the kernel stage;
    no_debuginfo: what to do where debuginfo gives None, as hints; cpus: no CPU ever has this number or a higher one;
    untyped: why there are no types (`btf` is empty then), ""; tracepoints: the names of tracepoints, for that case;
    preemptible: tasks in the kernel can be preempted nearly anywhere, also in a program of fentry.
    """

    btf: Btf
    symbols: Any = None
    features: Callable[[str], bool] | None = None
    arch: str = "x86_64"
    release: str = ""
    config: Callable[[str], str | None] | None = None
    module: Callable[[str], Btf | None] | None = None
    debuginfo: Callable[[str], DebugInfo | None] | None = None
    functions: Any = None
    no_debuginfo: Callable[[str], tuple[str, ...]] | None = None
    cpus: int = CPUS
    untyped: str = ""
    tracepoints: Callable[[], Iterable[str]] | None = None
    preemptible: bool = False

    @property
    def preemptible_tracepoints(self) -> bool:
        """Whether tasks can be preempted in a program of a raw tracepoint, too: from Linux 7.0."""
        major = self.release.partition(".")[0]
        return self.preemptible and major.isdecimal() and int(major) >= 7

    @property
    def hz(self) -> int:
        """Ticks a second."""
        text = self.config("CONFIG_HZ") if self.config is not None else None
        return int(text) if text and text.isdecimal() else HZ
