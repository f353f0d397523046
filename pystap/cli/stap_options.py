"""stap's options that ask for nothing here: taken in silence, taken with a note, or refused, with the reason.

Most of them are about making and loading kernel modules. What pystap does have is in arguments.py.
"""

from __future__ import annotations

from ..diag import fail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .arguments import Arguments

NEVER, OPTIONAL, ALWAYS = 0, 1, 2  # whether a value follows

_NO_MODULE = "no kernel module is made"
_NO_SERVER = "nothing is compiled on a server: pystap compiles here, in no time"
_ONE_KERNEL = "scripts are compiled for the kernel that runs"

# Option -> (value, what is done with it, why): "" taken; "note" taken, and it is said why it has no effect; else
# the code of the error.
OPTIONS: dict[str, tuple[int, str, str]] = {
    "-b": (NEVER, "note", "all CPUs' output comes in one stream, in order"),
    "-i": (NEVER, "E401", "not supported yet: a prompt for scripts"),
    "-F": (NEVER, "E905", "there is no flight recorder: keep a run in the background with -o FILE"),
    "-P": (NEVER, "", ""),
    "-R": (ALWAYS, "note", _NO_MODULE),
    "-B": (ALWAYS, "note", _NO_MODULE),
    "-r": (ALWAYS, "release", _ONE_KERNEL),
    "-a": (ALWAYS, "machine", _ONE_KERNEL),
    "--vp": (ALWAYS, "note", "-v says what each pass does"),
    "--modinfo": (ALWAYS, "note", _NO_MODULE),
    "--prologue-searching": (OPTIONAL, "", ""),
    "--suppress-time-limits": (NEVER, "note", "handlers are limited in their turns only, by -D MAXACTION"),
    "--suppress-handler-errors": (NEVER, "errors", "run-time errors are told, and don't end the run"),
    "--skip-badvars": (NEVER, "E401", "not supported yet: use @defined($x), or @choose_defined($x, 0)"),
    "--compatible": (ALWAYS, "note", "the language is that of SystemTap 5.6"),
    "--check-version": (NEVER, "note", "the language is that of SystemTap 5.6"),
    "--clean-cache": (
        NEVER,
        "note",
        "the cache holds what is known of kernels, not modules, and stays small",
    ),
    "--color": (OPTIONAL, "note", "diagnostics on a terminal have colours, unless NO_COLOR is set"),
    "--colour": (OPTIONAL, "note", "diagnostics on a terminal have colours, unless NO_COLOR is set"),
    "--privilege": (ALWAYS, "stapdev", "there are no such groups: capabilities say what a user may do"),
    "--unprivileged": (NEVER, "E905", "there are no such groups: capabilities say what a user may do"),
    "--use-server": (OPTIONAL, "E905", _NO_SERVER),
    "--use-server-on-error": (OPTIONAL, "E905", _NO_SERVER),
    "--list-servers": (OPTIONAL, "E905", _NO_SERVER),
    "--trust-servers": (OPTIONAL, "E905", _NO_SERVER),
    "--use-http-server": (OPTIONAL, "E905", _NO_SERVER),
    "--sign-module": (OPTIONAL, "E905", _NO_MODULE),
    "--remote": (ALWAYS, "E905", "nothing is run on other machines: ssh HOST pystap ..."),
    "--remote-prefix": (NEVER, "E905", "nothing is run on other machines: ssh HOST pystap ..."),
    "--download-debuginfo": (OPTIONAL, "note", "debug information is read where it is installed"),
    "--rlimit-as": (ALWAYS, "note", "no compiler is started"),
    "--rlimit-cpu": (ALWAYS, "note", "no compiler is started"),
    "--rlimit-nproc": (ALWAYS, "note", "no compiler is started"),
    "--rlimit-stack": (ALWAYS, "note", "no compiler is started"),
    "--rlimit-fsize": (ALWAYS, "note", "no compiler is started"),
    "--sysroot": (ALWAYS, "E905", _ONE_KERNEL),
    "--sysenv": (ALWAYS, "E905", _ONE_KERNEL),
    "--runtime": (ALWAYS, "bpf", "the runtime is BPF"),
    "--bpf": (NEVER, "", ""),
    "--dyninst": (NEVER, "E905", "the runtime is BPF"),
    "--monitor": (
        OPTIONAL,
        "E401",
        "not supported yet: a monitor of the probes; pystap explain says what they do",
    ),
    "--interactive": (NEVER, "E401", "not supported yet: a prompt for scripts"),
    "--example": (NEVER, "E905", "SystemTap's example scripts come with SystemTap"),
    "--language-server": (NEVER, "E905", "there is no server for editors"),
    "--save-uprobes": (NEVER, "", ""),
    "--target-namespace": (ALWAYS, "E905", "ids of namespaces are what ns_pid() and its like give"),
    "--tmpdir": (ALWAYS, "note", "nothing is written to a temporary folder"),
    "--build-as": (ALWAYS, "note", _NO_MODULE),
}


def take(option: str, value: str, args: Arguments) -> None:
    """Take an option of OPTIONS; raise CompileError for one that can't be heeded."""
    _, what, why = OPTIONS[option]
    shown = f"{option} {value}".rstrip() if option[1] != "-" else f"{option}={value}" if value else option
    if what == "":
        return
    if what == "errors":
        args.fields["defines"].append(("MAXERRORS", "1000000000"))
    elif what in ("release", "machine"):
        from ..kernel import target

        here = target.release() if what == "release" else target.machine()
        if value != here:
            raise fail("E905", f"'{shown}': {why}, {here}")
        return
    elif what in ("stapdev", "bpf"):
        if value == what:
            return
        if value != "kernel":
            raise fail("E905", f"'{shown}': {why}")
    elif what.startswith("E"):
        raise fail(what, why if why.startswith("not supported yet") else f"'{shown}': {why}", None)
    args.without_effect.append((shown, why))
