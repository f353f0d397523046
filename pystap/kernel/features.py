"""What this kernel can do, found by trying it; never by its version.

`Features.has(name)` tries once and remembers: (works, why not). Trying means doing it: a program that
attaches for a moment, to an event that hardly ever happens or to this process alone. Detaching takes the
kernel long: with `remember`, what has worked once since it was booted isn't tried again.
"""

from __future__ import annotations

import os

from ..bpf import consts_gen as abi
from . import boot
from .prog import VerifierError
from .sys import KernelError, bpf, mount_detached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..btf import Btf

_KEPT = "features"
_CAPABILITIES = ((21, "CAP_SYS_ADMIN"), (38, "CAP_PERFMON"), (39, "CAP_BPF"))


class Features:
    """The kernel's features; those that name kernel types or functions need its BTF."""

    __slots__ = ("_btf", "_known", "_remember")

    def __init__(self, btf: Btf | None = None, *, remember: bool = False) -> None:
        self._btf = btf
        self._remember = remember
        kept = boot.kept_words(_KEPT) if remember else None
        self._known: dict[str, tuple[bool, str]] = dict.fromkeys(kept or (), (True, ""))

    def names(self) -> tuple[str, ...]:
        """The features that `has` knows, in the order of a report."""
        from . import feature_probes

        return tuple(feature_probes.PROBES)

    def has(self, name: str) -> tuple[bool, str]:
        """(whether it works, what the kernel said if not). An unknown name is a bug: KeyError."""
        found = self._known.get(name)
        if found is None:
            from . import feature_probes  # imports every way to attach: only where something is tried

            try:
                feature_probes.PROBES[name](self._btf)
                found = (True, "")
            except feature_probes.Lacks as error:
                found = (False, str(error))
            except VerifierError as error:
                found = (False, f"{name}: {last_words(error.log)}")
            except (KernelError, OSError) as error:
                found = (False, str(error))
            self._known[name] = found
            if found[0] and self._remember:
                boot.keep_words(_KEPT, [known for known, (works, _) in self._known.items() if works])
        return found


def last_words(log: str) -> str:
    """The line of a verifier's log that says what is wrong: the last before the statistics."""
    for line in reversed(log.split("\n")):
        if line and not line.startswith(("processed ", "verification time", "stack depth", "peak_states")):
            return line
    return "refused"


def lockdown() -> str:
    """The kernel's lockdown level, `none`, `integrity` or `confidentiality`; "" if it has none to tell."""
    try:
        with open("/sys/kernel/security/lockdown", encoding="ascii") as file:
            text = file.read()
    except OSError:
        text = _private_lockdown()
    return text.partition("[")[2].partition("]")[0]


def _private_lockdown() -> str:
    """The same where securityfs isn't mounted."""
    try:
        folder = mount_detached("securityfs")
    except KernelError:
        return ""
    try:
        with open(os.open("lockdown", os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder), encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""
    finally:
        os.close(folder)


def missing_capabilities() -> list[str]:
    """Of the capabilities that tracing needs, those that this process hasn't."""
    effective = boot.effective_capabilities()
    if effective is None:
        return []
    if effective >> 21 & 1:  # CAP_SYS_ADMIN stands for the others
        return []
    return [name for bit, name in _CAPABILITIES[1:] if not effective >> bit & 1]


def explain_missing() -> list[str]:
    """Why nothing at all can be traced here, in words, one reason each; empty if there is none."""
    reasons = []
    lacking = missing_capabilities()
    if lacking:
        names = " and ".join(lacking)
        if os.geteuid() == 0:
            reasons.append(f"root lacks {names} here, as in a container: run it where root has them")
        else:
            reasons.append(f"user {os.geteuid()} lacks {names}: run it as root")
    try:
        bpf(abi.BPF_PROG_GET_NEXT_ID, bytearray(16), "asking for programs")
    except KernelError as error:
        if error.errno == 38:
            reasons.append("this kernel (or a sandbox around it) has no bpf(2)")
        elif error.errno == 1 and not lacking:
            reasons.append(
                "bpf(2) is forbidden here, though the capabilities are there (a sandbox, or a policy)"
            )
    if lockdown() == "confidentiality":
        reasons.append("the kernel is locked down (confidentiality): programs may not read its memory")
    return reasons
