"""The texts of --help and --version."""

from __future__ import annotations

from .. import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .arguments import Arguments

VERSION = f"pystap {__version__} (scripts of SystemTap 5.6 and bpftrace 0.27, compiled to eBPF)\n"

HELP = """\
usage: pystap [OPTIONS] SCRIPT [ARGUMENTS]     run a SystemTap or bpftrace script
       pystap [OPTIONS] -e TEXT [ARGUMENTS]    run a script given as text
       pystap [OPTIONS] TOOL [ARGUMENTS]       run a ready-made tool (below)
       pystap explain [OPTIONS] SCRIPT         say what runs in the kernel, what not, and why
       pystap doctor                           say what this kernel and this user can do
       pystap bpftrace ...                     bpftrace's own command line
       pystap shim DIR                         write executables stap and bpftrace there that run pystap

  -v             say what each pass does and how long it takes (-vv: more)
  -p N           stop after pass N: 1 parse, 2 check, 3 compile, 4 load, 5 run
  -o FILE        write the output there
  -S MB[,N]      write to FILE.0, FILE.1, ... of so many megabytes each, and keep the last N
  -c COMMAND     start the command, trace until it ends; target() is its process
  -x PID         target() is this process
  -T SECONDS     end the run after so long
  -I DIR         a folder of a tapset of your own: functions, probe aliases, macros (SystemTap)
  -E TEXT        one more script, run together with the first (SystemTap)
  -g             guru mode: allow what can do harm (SystemTap)
  --unsafe       the same (bpftrace)
  -G NAME=VALUE  set a global
  -D NAME=VALUE  set a limit: MAXMAPENTRIES, MAXACTION, MAXSTRINGLEN, MAXERRORS, ...
  -s MB          size of each CPU's buffer
  -w, -W         no warnings; warnings are errors
  -f json        output as JSON lines
  -q             less words
  -l PATTERN     list the probe points that match (-L: with their variables; with --lang bt: bpftrace's -l, -lv)
  --dump-functions, --dump-probe-aliases, --dump-probe-types   list what the tapset has
  --lang stp|bt  the script's language (else by suffix, or by its first line)
  --stage=mirror run every handler's body in the user stage
  --no-standins  don't let tracepoints stand in for functions that can't be probed
  --attach=HOW   probe functions by fentry, kprobe, kprobe_multi or standin only
  --dump-after=PASS  print what a pass made: parse sema optimise stage ebpf python link
  -V, -h         version; this text
"""

BPFTRACE = """\
USAGE:
    bpftrace [OPTIONS] FILE [ARGUMENTS]         run a script; - reads it from the standard input
    bpftrace [OPTIONS] -e TEXT [ARGUMENTS]      run a script given as text
    bpftrace -l[v] [PATTERN | FILE | -e TEXT]   list probes; with their arguments

OPTIONS:
    -c COMMAND        start the command, trace until it ends; its process is cpid
    -p PID            trace until that process ends
    -o FILE           write the output there
    -f text|json      the output's format
    -B none|line|full  how output is buffered
    -q                less words
    -v                say what each pass does and how long it takes
    -k                errors of helpers are warnings
    --unsafe          allow what can do harm: system(), signal()
    --no-warnings     no warnings
    --dry-run         do all but run
    --fmt             print the script, well laid out
    --mode codegen|format   compile or lay out only
    -d ast|types|codegen|dis   print what a pass made
    --info            what this kernel and this user can do
    -V, --version; -h, --help   the version; this text

Settings are read from the environment, too: BPFTRACE_MAX_STRLEN=200 and so on. This is pystap: no LLVM, no libbpf.
"""


def text(args: Arguments) -> str:
    """Return the help: of the tool that was named, of bpftrace's command line, else of the command."""
    if args.fields.get("lang") == "bt" and args.file is None:
        return BPFTRACE
    from .toolbox import names, summary, tool, usage

    if args.file is not None and tool(args.file) is not None:
        return usage(args.file)
    tools = "".join([f"  {name:15} {summary(name)}\n" for name in names()])
    return f"{HELP}\ntools (pystap TOOL --help says more):\n{tools}"
