"""Functions by kallsyms: names, copies, modules, what can't be traced; modules' files."""

from __future__ import annotations

from struct import pack

import pytest

from pystap.kernel.functions import Functions, is_copy
from pystap.kernel.modules import Elf, ModuleFiles, name_of
from pystap.kernel.symbols import Kallsyms
from pystap.kernel.sys import KernelError

TEXT = b"""\
ffffffff81000000 T _stext
ffffffff81000010 t tcp_ack
ffffffff81000020 T tcp_ack_snd_check
ffffffff81000030 t tcp_ack.cold
ffffffff81000040 t tcp_fixup.isra.0
ffffffff81000050 t tcp_fixup.part.0
ffffffff81000060 t __pfx_tcp_ack
ffffffff81000070 D tcp_data
ffffffff81000080 t twice
ffffffff81000090 t twice
ffffffff81000100 T __noinstr_text_start
ffffffff81000110 t tcp_secret
ffffffff81000200 T __noinstr_text_end
ffffffff81000300 r __ksymtab_tcp_ack_snd_check
ffffffff81ffffff B _end
ffffffffc0000000 t br_handle\t[bridge]
ffffffffc0000020 t br_copy.constprop.0\t[bridge]
ffffffffc0000040 t br_other\t[other]
ffffffffc0000060 t bpf_prog_6deef7357e7b4530\t[bpf]
"""
TABLE = Kallsyms(TEXT)
KNOWN = Functions(TABLE, loaded=("bridge", "other"))


@pytest.mark.parametrize(
    ("pattern", "symbols"),
    [
        ("tcp_*", ["tcp_ack", "tcp_ack_snd_check", "tcp_fixup.isra.0", "tcp_fixup.part.0"]),
        ("tcp_ack", ["tcp_ack"]),
        ("tcp_???", ["tcp_ack"]),
        ("t[wx]ice", ["twice"]),
        ("t[!w]*_ack", ["tcp_ack"]),
        ("tcp.*", []),
        ("br_*", []),
    ],
)
def test_patterns(pattern: str, symbols: list[str]) -> None:
    assert [symbol for _, _, symbol in KNOWN.matching(pattern)] == symbols


def test_names_without_suffixes() -> None:
    assert KNOWN.matching("tcp_fix*")[0] == ("", "tcp_fixup", "tcp_fixup.isra.0")
    assert KNOWN.copies("tcp_fixup") == [
        ("", "tcp_fixup", "tcp_fixup.isra.0"),
        ("", "tcp_fixup", "tcp_fixup.part.0"),
    ]


def test_modules() -> None:
    assert KNOWN.matching("br_*", "bridge") == [
        ("bridge", "br_copy", "br_copy.constprop.0"),
        ("bridge", "br_handle", "br_handle"),
    ]
    assert [f[0] for f in KNOWN.matching("*", "*")] == ["bridge", "bridge", "other"]
    assert KNOWN.modules("b*") == ["bridge"]
    assert KNOWN.modules("nowhere") == []


def test_what_the_kernel_lists_as_traceable_counts() -> None:
    known = Functions(TABLE, frozenset({b"tcp_ack", b"br_handle [bridge]"}), loaded=("bridge",))
    assert known.matching("tcp_*") == [("", "tcp_ack", "tcp_ack")]
    assert known.matching("*", "*") == [("bridge", "br_handle", "br_handle")]


def test_why_not() -> None:
    assert "noinstr" in KNOWN.why_not("tcp_secret")
    assert KNOWN.why_not("tcp_ack") == ""
    assert KNOWN.why_not("nothing") == ""


def test_exported() -> None:
    assert KNOWN.exported("tcp_ack_snd_check") and not KNOWN.exported("tcp_ack")


def test_places_have_all_that_share_a_name() -> None:
    few = TABLE.places({("", "twice"), ("bridge", "br_handle")})
    assert few == {
        ("", "twice"): [0xFFFFFFFF81000080, 0xFFFFFFFF81000090],
        ("bridge", "br_handle"): [0xFFFFFFFFC0000000],
    }
    names = ["twice", "tcp_ack", "tcp_ack_snd_check", "tcp_fixup.isra.0", "nothing"]
    many = TABLE.places({("", name) for name in names})
    assert many["", "twice"] == few["", "twice"]
    assert many["", "tcp_fixup.isra.0"] == [0xFFFFFFFF81000040]
    assert many["", "nothing"] == []


@pytest.mark.parametrize(
    ("suffix", "copy"),
    [
        ("", True),
        ("isra.0", True),
        ("constprop.0.isra.1", True),
        ("part.3", True),
        ("cold", False),
        ("0", True),
    ],
)
def test_suffixes(suffix: str, copy: bool) -> None:
    assert is_copy(suffix) is copy


# -- files of modules


def elf(symbols: list[tuple[str, int, int]]) -> bytes:
    """An object file with .text (1), .init.text (2) and these symbols: name, type, section."""
    names = b"\0.text\0.init.text\0.symtab\0.strtab\0.shstrtab\0.BTF\0"
    strings, rows = b"\0", [bytes(24)]
    for name, kind, section in symbols:
        rows.append(pack("<IBBHQQ", len(strings), kind, 0, section, 0, 0))
        strings += name.encode() + b"\0"
    parts = [b"", b"", b"", b"".join(rows), strings, names, b"types"]
    data, heads = b"\x7fELF\x02\x01".ljust(64, b"\0"), []
    for part, name in zip(
        parts, (b"", b".text", b".init.text", b".symtab", b".strtab", b".shstrtab", b".BTF"), strict=True
    ):
        at = names.index(name + b"\0") if name else 0
        heads.append(pack("<IIQQQQIIQQ", at, 0, 0, 0, len(data), len(part), 0, 0, 0, 0))
        data += part
    head = bytearray(data)
    head[40:48] = pack("<Q", len(data))
    head[58:64] = pack("<HHH", 64, len(heads), 5)
    return bytes(head) + b"".join(heads)


FILE = elf([("f", 2, 1), ("begin", 2, 2), ("data", 1, 1), ("elsewhere", 2, 0), ("g.isra.0", 2, 1)])


def test_functions_of_a_file() -> None:
    found = Elf(FILE)
    assert found.functions() == ["f", "g.isra.0"]
    assert found.section(".BTF") == b"types"
    assert found.section(".other") is None


@pytest.mark.parametrize("cut", [0, 3, 63, 200, len(FILE) - 1])
def test_damaged_files(cut: int) -> None:
    with pytest.raises(KernelError):
        Elf(FILE[:cut])


def test_modules_by_file(tmp_path) -> None:
    import gzip
    import lzma

    folder = tmp_path / "6.0"
    folder.mkdir()
    (folder / "modules.dep").write_text("net/a-b.ko.xz:\nc.ko: net/a-b.ko.xz\nd.ko.gz:\nREADME:\n")
    (folder / "modules.builtin").write_text("kernel/fs/ext4/ext4.ko\n")
    (folder / "net").mkdir()
    (folder / "net" / "a-b.ko.xz").write_bytes(lzma.compress(FILE))
    (folder / "c.ko").write_bytes(FILE)
    (folder / "d.ko.gz").write_bytes(gzip.compress(FILE))
    files = ModuleFiles("6.0", str(tmp_path))
    assert sorted(files.all()) == ["a_b", "c", "d"]
    for module in files.all():
        made = files.read(module)
        assert made is not None and made.functions() == ["f", "g.isra.0"]
    assert files.built_in("ext4") and not files.built_in("c")
    assert files.read("nothing") is None
    known = Functions(TABLE, loaded=(), files=files)
    assert known.matching("*", "a_b") == [("a_b", "f", "f"), ("a_b", "g", "g.isra.0")]
    assert known.modules("a_b") == ["a_b"] and not known.loaded("a_b")


def test_names_of_files() -> None:
    assert name_of("kernel/net/nf-log.ko.xz") == "nf_log"


ALIASED = b"""\
ffffffff81000000 T _stext
ffffffff81000010 t __do_sys_one
ffffffff81000010 T __ia32_sys_one
ffffffff81000010 T __x64_sys_one
ffffffff81000020 t __do_sys_two
ffffffff81000030 T __x64_sys_three
ffffffff81000040 T __x64_sys_four
ffffffff81ffffff B _end
"""


def test_other_names_of_the_same_code() -> None:
    """What can be traced is listed by the first name of its code: patterns find it by the others, too, and once."""
    table = Kallsyms(ALIASED)
    assert table.aliases() == dict.fromkeys(("__ia32_sys_one", "__x64_sys_one"), "__do_sys_one")
    traceable = frozenset({b"__do_sys_one", b"__x64_sys_three"})
    for known in (traceable, None):
        live = Functions(table, known, loaded=())
        found = [symbol for _, _, symbol in live.matching("__x64_sys_*")]
        assert found == ["__x64_sys_one", "__x64_sys_three"] or (
            known is None and found == ["__x64_sys_four", "__x64_sys_one", "__x64_sys_three"]
        )
        assert [symbol for _, _, symbol in live.matching("*_sys_one")] == ["__do_sys_one"]
    assert Functions(table, traceable, loaded=()).first_name(0xFFFFFFFF81000010) == "__do_sys_one"
    assert Functions(table, traceable, loaded=()).first_name(0xFFFFFFFF81000011) == ""
