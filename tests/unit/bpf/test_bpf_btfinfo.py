"""Program BTF: the blob is read back by a reader of its own here."""

import struct

from pystap.bpf.btfinfo import FUNC_INFO_SIZE, LINE_INFO_SIZE, ProgramBtf

TAILS = {1: (4, 0), 2: (0, 0), 3: (12, 0), 4: (0, 12), 12: (0, 0), 13: (0, 8)}


def read(blob):
    """Return ([(name, kind, vlen, size or type, tail)], string getter)."""
    magic, version, flags, hdr, type_off, type_len, str_off, str_len = struct.unpack_from("<HBBIIIII", blob)
    assert (magic, version, flags, hdr, type_off, str_off) == (0xEB9F, 1, 0, 24, 0, type_len)
    assert len(blob) == hdr + type_len + str_len
    strings = blob[hdr + str_off :]
    assert strings[:1] == strings[-1:] == b"\0"

    def text(offset):
        return strings[offset : strings.index(b"\0", offset)].decode()

    types, at = [], hdr
    while at < hdr + type_len:
        name, info, size = struct.unpack_from("<III", blob, at)
        fixed, each = TAILS[info >> 24 & 31]
        vlen = info & 0xFFFF
        length = fixed + each * vlen if each else fixed
        types.append((text(name), info >> 24, vlen, size, blob[at + 12 : at + 12 + length]))
        at += 12 + length
    return types, text


def test_functions():
    btf = ProgramBtf()
    main = btf.add_main("handler")
    callback = btf.add_func("body", 2)
    other = btf.add_func("more", 2)
    types, text = read(btf.to_bytes())
    name, kind, linkage, proto, _ = types[main - 1]
    assert (name, kind, linkage) == ("handler", 12, 0)
    _, kind, params, ret, tail = types[proto - 1]
    assert (kind, params, types[ret - 1][0]) == (13, 1, "int")
    param_name, param_type = struct.unpack("<II", tail)
    assert text(param_name) == "ctx"
    assert types[param_type - 1][1:4] == (2, 0, 0)  # void *
    name, kind, linkage, proto, _ = types[callback - 1]
    assert (name, kind, linkage) == ("body", 12, 0)
    assert types[proto - 1][1:3] == (13, 2)
    assert types[types[proto - 1][3] - 1][0] == "long"
    assert types[other - 1][3] == proto  # shared


def test_linkage_and_int_result():
    btf = ProgramBtf()
    func = btf.add_func("f", 0, "int", linkage=1)
    types, _ = read(btf.to_bytes())
    assert types[func - 1][2] == 1
    result = types[types[types[func - 1][3] - 1][3] - 1]
    assert result == ("int", 1, 0, 4, struct.pack("<I", 1 << 24 | 32))


def test_ints_and_structs():
    btf = ProgramBtf()
    assert btf.add_int("u32", 4, False) == btf.add_int("u32", 4, False)
    value = btf.add_bytes("value", 24)
    types, text = read(btf.to_bytes())
    name, kind, members, size, tail = types[value - 1]
    assert (name, kind, members, size) == ("value", 4, 1, 24)
    member, array, offset = struct.unpack("<III", tail)
    assert (text(member), offset) == ("bytes", 0)
    element, _, count = struct.unpack("<III", types[array - 1][4])
    assert (types[element - 1][0], count) == ("unsigned char", 24)


def test_strings_are_kept_once():
    btf = ProgramBtf()
    assert btf.add_string("") == 0
    first = btf.add_string("probe begin { é }")
    assert btf.add_string("probe begin { é }") == first
    assert btf.add_string("cut\0here") != first
    _, text = read(btf.to_bytes())
    assert text(first) == "probe begin { é }"
    assert text(btf.add_string("cut\0here")) == "cut"


def test_line_info():
    btf = ProgramBtf()
    lines = [
        (0, "a.stp", "one", 1, 1),
        (4, "a.stp", "two", 2, 5),
        (4, "a.stp", "three", 3, 7),
        (9, "a.stp", "x", 1, 2000),
    ]
    records = btf.line_info(lines)
    _, text = read(btf.to_bytes())
    found = [struct.unpack_from("<IIII", records, at) for at in range(0, len(records), LINE_INFO_SIZE)]
    shown = [(slot, text(file), text(line), col >> 10, col & 1023) for slot, file, line, col in found]
    assert shown == [(0, "a.stp", "one", 1, 1), (4, "a.stp", "three", 3, 7), (9, "a.stp", "x", 1, 1023)]


def test_func_info():
    btf = ProgramBtf()
    ids = [btf.add_main("m"), btf.add_func("f", 2)]
    records = btf.func_info([(0, ids[0]), (12, ids[1])])
    assert len(records) == 2 * FUNC_INFO_SIZE
    assert struct.unpack("<4I", records) == (0, ids[0], 12, ids[1])
