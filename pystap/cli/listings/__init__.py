"""Listings: what can be probed on this kernel, and what the tapset has.

`run(args)` answers -l, -L, --dump-functions, --dump-probe-aliases, --dump-probe-types, and bpftrace's -l and -lv.
They are made from BTF and the tapset; the systems of tracepoints from tracefs, where it can be read.
"""

from __future__ import annotations

import sys

from ...diag import fail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..arguments import Arguments

POINTS, VARIABLES = "-l", "-L"
FUNCTIONS, ALIASES, TYPES = "--dump-functions", "--dump-probe-aliases", "--dump-probe-types"


def run(args: Arguments) -> int:
    """Print the listing that was asked for; return the status."""
    from ..live import live_target

    kind = args.listing
    options = args.options
    if options.scripts:  # their aliases and functions are listed too
        more = tuple((f"<-E {n}>", text) for n, text in enumerate(options.scripts, 1))
        options = options.replace(tapsets=(*more, *options.tapsets), scripts=())
    if kind == TYPES:
        from .dumps import probe_types

        return _print(probe_types())
    if kind == ALIASES:
        from .dumps import probe_aliases

        return _print(probe_aliases(live_target(types=False), options))
    target = live_target()
    if kind == FUNCTIONS:
        from .dumps import functions

        return _print(functions(target, options))
    if args.options.lang == "bt":
        from .bpftrace import listing, of_script

        pattern = args.pattern or args.file or ""
        verbose = args.options.verbose > 0
        script = of_script(args, target.btf, systems(), target)
        found = listing(pattern, target.btf, systems(), verbose, target) if script is None else script
    else:
        from .points import listing as points

        pattern = args.pattern
        found = points(pattern, target, systems(), kind == VARIABLES, options)
    if not found:
        raise fail("E308", f"nothing on this kernel matches '{pattern}'")
    return _print(found)


def systems() -> dict[str, str]:
    """Return the system of each tracepoint by its name, as far as tracefs can be read."""
    from ...kernel.attach.tracepoint_perf import list_tracefs
    from ...kernel.sys import KernelError

    found: dict[str, str] = {}
    try:
        for system in list_tracefs("events"):
            if "." not in system and system not in ("enable", "header_event", "header_page"):
                for name in list_tracefs(f"events/{system}"):
                    found.setdefault(name, system)
    except KernelError:
        return found
    for word in ("enable", "filter"):
        found.pop(word, None)
    return found


def _print(lines: Iterable[str]) -> int:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
    return 0
