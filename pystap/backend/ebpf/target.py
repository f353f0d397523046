"""What the code generator must know of the kernel: places in its structs, types of arguments, features. A plain value.

`from_btf` answers from a kernel's BTF; tests give dicts to `from_tables`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ...btf import Btf

# Features that code may rely on when they are named:
#   direct        typed kernel pointers may be read by plain loads
#   rdonly_cast   the kfunc bpf_rdonly_cast
#   bpf_loop      the helper bpf_loop
#   one_run       a CPU runs no program while another run of it is under way there (raw tracepoints and the like)
#   cpu_v4        sign-extending moves and loads
#   perf_calls    system calls come as perf events of raw_syscalls:sys_enter and sys_exit, not as raw tracepoints
#   compat        tasks may make 32-bit system calls, whose numbers mean something else
DEFAULT_FEATURES = ("direct", "bpf_loop", "compat")


class Target:
    """offset(struct, path) gives (byte offset, size) of a field that needs no pointer to be followed, or None.

    access(struct, offset, size): None if the verifier refuses a plain load there, else the name of the struct that
    the pointer read leads to, "" for any other value.
    argument(tracepoint, n): name of the struct that argument n points to, or ""; of a function: `name()`, and behind
    its arguments what it returns.
    struct_id(name): the struct's BTF id, 0 when unknown.
    """

    __slots__ = ("access", "arch", "argument", "features", "offset", "struct_id")

    def __init__(
        self,
        offset: Callable[[str, str], tuple[int, int] | None],
        access: Callable[[str, int, int], str | None],
        argument: Callable[[str, int], str],
        struct_id: Callable[[str], int],
        features: Iterable[str] = DEFAULT_FEATURES,
        arch: str = "x86_64",
    ) -> None:
        self.offset = offset
        self.access = access
        self.argument = argument
        self.struct_id = struct_id
        self.features = frozenset(features)
        self.arch = arch

    def without(self, *features: str) -> Target:
        """The same kernel, without relying on some features."""
        return Target(
            self.offset, self.access, self.argument, self.struct_id, self.features - set(features), self.arch
        )


def from_tables(
    offsets: Mapping[tuple[str, str], tuple[int, int]],
    *,
    pointees: Mapping[tuple[str, int], str] | None = None,
    arguments: Mapping[tuple[str, int], str] | None = None,
    ids: Mapping[str, int] | None = None,
    features: Iterable[str] = DEFAULT_FEATURES,
    arch: str = "x86_64",
) -> Target:
    """A target from dicts; every plain load is allowed, and pointees says which ones read pointers."""
    return Target(
        lambda struct, path: offsets.get((struct, path)),
        lambda struct, offset, size: (pointees or {}).get((struct, offset), "") if size == 8 else "",
        lambda tracepoint, n: (arguments or {}).get((tracepoint, n), ""),
        lambda name: (ids or {}).get(name, 0),
        features,
        arch,
    )


def from_btf(
    btf: Btf,
    features: Iterable[str] = DEFAULT_FEATURES,
    arch: str = "x86_64",
    module: Callable[[str], Btf | None] | None = None,
) -> Target:
    """A target that answers from a kernel's BTF, and from its modules'."""
    from .btf_target import Answers

    answers = Answers(btf, module)
    return Target(answers.offset, answers.access, answers.argument, answers.struct_id, features, arch)
