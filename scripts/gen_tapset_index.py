"""Write pystap/tapset/index_gen.py: which file of the tapset has which function and which alias."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pystap.diag import Bag  # noqa: E402
from pystap.lang.stp.parser import PreprocEnv, parse  # noqa: E402
from pystap.sema.stp.macros import MACROS  # noqa: E402
from pystap.source import Source  # noqa: E402

TAPSET = ROOT / "pystap" / "tapset"


def make() -> str:
    """Return the text of the index."""
    files = sorted(p.name for p in TAPSET.glob("*.stp"))
    functions: dict[str, int] = {}
    aliases: dict[str, int] = {}
    for number, name in enumerate(files):
        bag = Bag()
        source = Source(name, (TAPSET / name).read_text())
        tree = parse(source, PreprocEnv(macros=MACROS), bag, library=True)
        if bag.items:
            raise SystemExit(f"{name}: {bag.items[0]!r}")
        for function in tree.functions:
            if functions.setdefault(function.name, number) != number:
                raise SystemExit(f"{name}: the function {function.name} is in another file too")
        for alias in tree.aliases:
            for point in alias.names:
                dotted = ".".join(c.name for c in point.components)
                if aliases.setdefault(dotted, number) != number:
                    raise SystemExit(f"{name}: the alias {dotted} is in another file too")
    return (
        '"""The index of the tapset. Made by scripts/gen_tapset_index.py; do not edit."""\n\n'
        "from __future__ import annotations\n\n"
        f"FILES: tuple[str, ...] = (\n{''.join(f'    {_quoted(f)},{chr(10)}' for f in files)})\n\n"
        f"FUNCTIONS: dict[str, int] = {{\n{_rows(functions)}}}\n\n"
        f"ALIASES: dict[str, int] = {{\n{_rows(aliases)}}}\n"
    )


def _quoted(text: str) -> str:
    return f'"{text}"'


def _rows(table: dict[str, int]) -> str:
    return "".join(f"    {_quoted(name)}: {number},\n" for name, number in sorted(table.items()))


if __name__ == "__main__":
    (TAPSET / "index_gen.py").write_text(make())
