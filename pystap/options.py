"""`Options`: what the user asked for, in one value that the compiler and the runtime share.

Every field has a default, so that `Options()` is a plain run. Pairs are tuples, never dicts: an
Options is a value, and is not changed after it was made (`replace` gives a changed copy).
"""

from __future__ import annotations

from .node import Node

STAGE_AUTO = "auto"
STAGE_MIRROR = "mirror"

DEFAULT_BUFFER = 2 << 20


class Options(Node):
    """lang: "stp", "bt" or "" (by suffix or first line).

    stage: STAGE_AUTO, or STAGE_MIRROR to run every handler's body in the user stage. args: the words after the
    script. target_pid: of -x, or of the held command of -c. timeout: seconds of -T. output: path of -o.
    max_action: most loop turns of one run, None for as many as the stage can bear. max_log: bytes that the
    loops of one run in the kernel may log for the user stage. buffer: bytes of each CPU's ring (a power of two).
    overrides: (name, text) of -G; defines: (name, text) of -D. format: "text" or "json".
    display_globals: print what SystemTap calls unread globals (bpftrace: maps) at the end. standins: let
    tracepoints stand in for functions that this kernel can't probe. attach: the rung of the attach ladder that
    functions must be probed by ("fentry", "kprobe" or "standin"), "" for the best that there is. macros: definitions
    that a SystemTap script may use beside its own and the tapset's. settings: (name, text) of bpftrace's settings
    that the environment has (BPFTRACE_NAME); they count more than the script's own. scripts: the texts of -E. tapsets:
    (path, text) of the files of -I's folders, in the order in which they are searched. switch: of -S, the bytes of an
    output file, and how many files are kept (0: all).
    """

    lang: str = ""
    stage: str = STAGE_AUTO
    guru: bool = False
    unsafe: bool = False
    args: tuple[str, ...] = ()
    target_pid: int = 0
    command: str | None = None
    timeout: float | None = None
    output: str | None = None
    max_action: int | None = None
    max_log: int = 4096
    maxstringlen: int = 512
    maxmapentries: int = 2048
    maxerrors: int = 0
    buffer: int = DEFAULT_BUFFER
    verbose: int = 0
    warnings: bool = True
    warnings_as_errors: bool = False
    display_globals: bool = True
    overrides: tuple[tuple[str, str], ...] = ()
    defines: tuple[tuple[str, str], ...] = ()
    format: str = "text"
    quiet: bool = False
    hist_width: int = 50
    hist_elision: int = 2
    standins: bool = True
    attach: str = ""
    macros: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    scripts: tuple[str, ...] = ()
    tapsets: tuple[tuple[str, str], ...] = ()
    switch: tuple[int, int] | None = None
