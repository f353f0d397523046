"""Names of the kernel's allocation flags, with the bits that this kernel's BTF gives them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...btf import Btf

# what callers of the allocator write: a name for several bits
_SETS = (
    ("GFP_KERNEL", ("DIRECT_RECLAIM", "KSWAPD_RECLAIM", "IO", "FS")),
    ("GFP_NOFS", ("DIRECT_RECLAIM", "KSWAPD_RECLAIM", "IO")),
    ("GFP_NOIO", ("DIRECT_RECLAIM", "KSWAPD_RECLAIM")),
    ("GFP_ATOMIC", ("HIGH", "KSWAPD_RECLAIM")),
    ("GFP_NOWAIT", ("KSWAPD_RECLAIM",)),
)


def bits_of(btf: Btf | None) -> dict[str, int]:
    """The flags by name; none where the kernel doesn't say."""
    found = btf.find_enumerator("___GFP_DMA_BIT") if btf is not None else None
    if found is None:
        return {}
    bits = {}
    for name, value in found[1].values:
        if (
            name.startswith("___GFP_")
            and name.endswith("_BIT")
            and "LAST" not in name
            and "UNUSED" not in name
        ):
            bits[name[7:-4]] = 1 << value
    return bits


def names(flags: int, bits: dict[str, int]) -> str:
    """`GFP_KERNEL|__GFP_ZERO`; bits without a name as a number."""
    out: list[str] = []
    for name, parts in _SETS:
        mask = sum([bits.get(part, 0) for part in parts])
        if mask and flags & mask == mask:
            out.append(name)
            flags &= ~mask
            break
    for name, bit in bits.items():
        if flags & bit:
            out.append(f"__GFP_{name}")
            flags &= ~bit
    if flags or not out:
        out.append(f"{flags:#x}")
    return "|".join(out)
