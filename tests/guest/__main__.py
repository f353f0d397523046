"""`python3 -m tests.guest KERNEL [COMMAND]`: run a command in a guest, print its output, exit with its status.

Without a second word the command is in $GUEST_COMMAND (which spares make's users a second level of quoting).
"""

from __future__ import annotations

import os
import sys

from .debuginfo import FOLDER
from .guest import GuestFailed, Unavailable, boot
from .kernels import KERNELS


def main(words: list[str]) -> int:
    if len(words) == 1:
        words = [*words, os.environ.get("GUEST_COMMAND", "")]
    if len(words) != 2 or not words[1]:
        print(
            f"usage: make guest KERNEL={{{','.join(KERNELS)}}} CMD='...' [TIMEOUT=seconds] [DEBUGINFO=1]",
            file=sys.stderr,
        )
        return 2
    seconds = os.environ.get("TIMEOUT") or "600"
    if not seconds.isdecimal():
        print(f"guest: TIMEOUT is a number of seconds, not '{seconds}'", file=sys.stderr)
        return 2
    timeout = float(seconds)
    command, debuginfo = words[1], bool(os.environ.get("DEBUGINFO"))
    if debuginfo:
        command = f"export SYSTEMTAP_DEBUGINFO_PATH={FOLDER}\n{command}"

    def stream(chunk: bytes) -> None:
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()

    try:
        done = boot(
            *(words[0], command, timeout),
            stream=stream,
            tell=lambda text: print(text, file=sys.stderr),
            debuginfo=debuginfo,
        )
    except (GuestFailed, Unavailable) as why:
        print(f"guest: {why}", file=sys.stderr)
        return 125
    if os.environ.get("GUEST_CONSOLE"):
        print(done.console, file=sys.stderr)
    return done.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
