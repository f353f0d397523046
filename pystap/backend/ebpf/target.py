"""What the code generator must know of the kernel: places in its structs, types of arguments, features. A plain value.

`live` answers from a kernel's BTF; tests give dicts.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# Features that code may rely on when they are named:
#   direct        typed kernel pointers may be read by plain loads (needs vmlinux BTF; from 5.5)
#   rdonly_cast   the kfunc bpf_rdonly_cast
#   bpf_loop      the helper bpf_loop
#   cpu_v4        sign-extending moves and loads
#   compat        tasks may make 32-bit system calls, whose numbers mean something else
DEFAULT_FEATURES = ("direct", "bpf_loop", "compat")


class Target:
    """offset(struct, path) gives (byte offset, size) of a field, or None.

    pointee(struct, offset): name of the struct that the pointer member at that offset leads to, "" when that isn't
    a plain pointer to a struct. chars(struct, offset): bytes of the char array that begins there, or 0.
    argument(tracepoint, n): name of the struct that argument n points to, or "".
    struct_id(name): the struct's BTF id, 0 when unknown.
    """

    __slots__ = ("arch", "argument", "chars", "features", "offset", "pointee", "struct_id")

    def __init__(
        self,
        offset: Callable[[str, str], tuple[int, int] | None],
        *,
        pointee: Callable[[str, int], str] = lambda struct, offset: "",
        chars: Callable[[str, int], int] = lambda struct, offset: 0,
        argument: Callable[[str, int], str] = lambda tracepoint, n: "",
        struct_id: Callable[[str], int] = lambda name: 0,
        features: Iterable[str] = DEFAULT_FEATURES,
        arch: str = "x86_64",
    ) -> None:
        self.offset = offset
        self.pointee = pointee
        self.chars = chars
        self.argument = argument
        self.struct_id = struct_id
        self.features = frozenset(features)
        self.arch = arch


def from_tables(
    offsets: Mapping[tuple[str, str], tuple[int, int]],
    *,
    pointees: Mapping[tuple[str, int], str] | None = None,
    chars: Mapping[tuple[str, int], int] | None = None,
    arguments: Mapping[tuple[str, int], str] | None = None,
    ids: Mapping[str, int] | None = None,
    features: Iterable[str] = DEFAULT_FEATURES,
    arch: str = "x86_64",
) -> Target:
    """A target from dicts."""
    return Target(
        lambda struct, path: offsets.get((struct, path)),
        pointee=lambda struct, offset: (pointees or {}).get((struct, offset), ""),
        chars=lambda struct, offset: (chars or {}).get((struct, offset), 0),
        argument=lambda tracepoint, n: (arguments or {}).get((tracepoint, n), ""),
        struct_id=lambda name: (ids or {}).get(name, 0),
        features=features,
        arch=arch,
    )
