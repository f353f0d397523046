"""Write pystap/probes/syscall_numbers.py from the UAPI header of this machine (x86-64)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
# Calls that came after the header of a stable distribution; numbers from here on are the same everywhere.
NEWER = (
    "cachestat 451 fchmodat2 452 map_shadow_stack 453 futex_wake 454 futex_wait 455 futex_requeue 456 statmount 457 "
    "listmount 458 lsm_get_self_attr 459 lsm_set_self_attr 460 lsm_list_modules 461 mseal 462 setxattrat 463 "
    "getxattrat 464 listxattrat 465 removexattrat 466 open_tree_attr 467 file_getattr 468 file_setattr 469"
)


def main() -> None:
    """Write the file, or to standard output with `-`."""
    found = re.findall(r"#define __NR_(\w+)\s+(\d+)", HEADER.read_text())
    numbers = {name: int(number) for name, number in found}
    words = NEWER.split()
    numbers |= {name: int(number) for name, number in zip(words[::2], words[1::2], strict=True)}
    numbers |= {"uretprobe": 335, "uprobe": 336}
    rows = "".join(f'    "{n}": {k},\n' for n, k in sorted(numbers.items(), key=lambda item: item[1]))
    text = (
        '"""Numbers of the system calls, x86-64. Made by scripts/gen_syscalls.py; do not edit."""\n\n'
        "from __future__ import annotations\n\n"
        f"X86_64: dict[str, int] = {{\n{rows}}}\n"
    )
    if sys.argv[1:] == ["-"]:
        sys.stdout.write(text)
    else:
        Path("pystap/probes/syscall_numbers.py").write_text(text)


if __name__ == "__main__":
    main()
