"""What a script is compiled for, and the options that change what it means. Values, no system calls."""

from __future__ import annotations

from ..node import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..btf import Btf


class Target(Node):
    """The kernel and machine.

    btf: its types; symbols: what answers `address(name)` or None; features: says whether the kernel can do
    something, by name; hz: ticks a second; config: the value of a build option ("CONFIG_NET"), None when unset.
    """

    btf: Btf
    symbols: Any = None
    features: Callable[[str], bool] | None = None
    arch: str = "x86_64"
    release: str = ""
    hz: int = 250
    config: Callable[[str], str | None] | None = None


class Options(Node):
    """What the command line says.

    globals: of -G, name -> text; defines: of -D, name -> text; target_pid: of -x and -c;
    guru: -g; global_display: whether unread globals are printed at the end.
    """

    globals: dict[str, str] = {}
    defines: dict[str, str] = {}
    target_pid: int = 0
    guru: bool = False
    global_display: bool = True

    def define(self, name: str, default: int) -> int:
        """Return the number of a -D limit, or its default."""
        text = self.defines.get(name)
        if text is None:
            return default
        try:
            return int(text, 0)
        except ValueError:
            return default
