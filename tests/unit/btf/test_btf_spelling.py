"""C text of types."""

from __future__ import annotations

import pytest

from pystap.btf import Btf, declare, type_name
from pystap.btf import kinds as k
from pystap.btf.write import BtfWriter

W = BtfWriter()
INT = W.add_int("int", 4, k.SIGNED)
CHAR = W.add_int("char", 1, k.SIGNED)
CONST_CHAR = W.add_qualified(k.CONST, CHAR)
STRUCT = W.add_struct("sock", 0, [])
P_STRUCT = W.add_ptr(STRUCT)
FUNC = W.add_func_proto(INT, [("sk", P_STRUCT), ("", CHAR)], variadic=True)
NOARGS = W.add_func_proto(0, [])
ROW = W.add_array(CHAR, INT, 16)
HANDLER = W.add_func_proto(0, [("", INT)])
P_HANDLER = W.add_ptr(HANDLER)
SIGNAL = W.add_func_proto(P_HANDLER, [("sig", INT), ("func", P_HANDLER)])
SELF = W.next_id
W.add_func_proto(0, [("f", SELF), ("g", SELF)])
LOOP = W.next_id
W.add_ptr(LOOP)


@pytest.mark.parametrize(
    ("type", "name", "text"),
    [
        (0, "", "void"),
        (INT, "x", "int x"),
        (P_STRUCT, "", "struct sock *"),
        (P_STRUCT, "sk", "struct sock *sk"),
        (W.add_ptr(W.add_ptr(0)), "p", "void **p"),
        (W.add_ptr(CONST_CHAR), "s", "const char *s"),
        (W.add_qualified(k.CONST, W.add_ptr(CONST_CHAR)), "s", "const char *const s"),
        (W.add_qualified(k.CONST, W.add_ptr(CHAR)), "", "char *const"),
        (W.add_qualified(k.VOLATILE, CONST_CHAR), "", "volatile const char"),
        (ROW, "comm", "char comm[16]"),
        (ROW, "", "char[16]"),
        (W.add_array(ROW, INT, 2), "t", "char t[2][16]"),
        (W.add_array(P_STRUCT, INT, 0), "t", "struct sock *t[]"),
        (W.add_ptr(ROW), "p", "char (*p)[16]"),
        (W.add_ptr(FUNC), "f", "int (*f)(struct sock *sk, char, ...)"),
        (FUNC, "f", "int f(struct sock *sk, char, ...)"),
        (NOARGS, "f", "void f(void)"),
        (W.add_array(P_HANDLER, INT, 4), "f", "void (*f[4])(int)"),
        (SIGNAL, "signal", "void (*signal(int sig, void (*func)(int)))(int)"),
        (W.add_type_tag("user", INT), "x", "int x"),
        (W.add_typedef("u8", CHAR), "x", "u8 x"),
        (W.add_fwd("f", True), "x", "union f x"),
        (W.add_fwd("f"), "x", "struct f x"),
        (W.add_union("", 0, []), "u", "union {...} u"),
        (W.add_enum("e", []), "", "enum e"),
        (W.add_float("double", 8), "d", "double d"),
        (W.add_ptr(W.add_qualified(k.RESTRICT, W.add_ptr(CHAR))), "p", "char *restrict *p"),
    ],
)
def test_declarations(type, name, text):
    assert declare(Btf(W.to_bytes()).type(type), name) == text


@pytest.mark.parametrize("type", [SELF, LOOP])
def test_types_of_themselves_end(type):
    text = type_name(Btf(W.to_bytes()).type(type))
    assert "..." in text
    assert len(text) < 10_000
