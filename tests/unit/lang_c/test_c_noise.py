"""Whatever stands between %{ and %}: a program or a diagnostic, never an exception."""

from __future__ import annotations

import random
import re

import pytest

pytest.importorskip("pycparser")

from c_kit import attempt

WORDS = """
a b STAP_ARG_x STAP_ARG_s STAP_RETVALUE THIS -> . x __retvalue ( ) ( ) { } [ ] ; ; , + - * / % & && | || ! ~ < > <= == =
= += ++ -- ? : 0 1 2u 3L 'c' "text" "%d %s" int long char u8 u32 struct sk_buff sock task_struct iphdr * if else for while do
switch case default break continue return sizeof offsetof kread kderef snprintf strlcpy strcmp MAXSTRINGLEN ip_hdr jiffies
current comm len sk dev name #define #if #endif #ifdef X /* */ // enum typedef static extern const NULL STAP_RETURN
STAP_ERROR STAP_PRINTF CATCH_DEREF_FAULT ntohs container_of min likely goto asm unsigned void bool
""".split()  # noqa: SIM905

LINES = [
    "int a = STAP_ARG_x;",
    "struct sk_buff *b = (struct sk_buff *)STAP_ARG_x;",
    "STAP_RETVALUE = b->len;",
    "for (a = 0; a < 3; a++) { STAP_RETVALUE += a; }",
    "if (a > b->len) return; else STAP_RETURN(kread(&b->dev->ifindex));",
    'STAP_PRINTF("%s %d\\n", b->dev->name, a);',
    "switch (a) { case 1: break; default: a = ip_hdr(b)->ttl; }",
    "STAP_RETVALUE = b ? min(a, 3) : sizeof(*b) + offsetof(struct iphdr, ttl);",
    "while (a-- > 0 && b) { b = b->next; }",
    'char t[16]; snprintf(t, sizeof(t), "%d", a);',
]


def check(code: str) -> bool:
    made = attempt(f'%{{\n%}}\nfunction f:long(x:long, s:string) %{{ {code} %}}\nprobe begin {{ f(1, "a") }}')
    assert made.program is not None or made.bag.errors
    for diagnostic in made.bag.errors:
        assert diagnostic.span is not None, (code, diagnostic)
    return made.program is not None


def test_words() -> None:
    pick = random.Random(1)
    for _ in range(300):
        check(" ".join(pick.choice(WORDS) for _ in range(pick.randrange(1, 25))))


ALIKE = [
    [
        "a",
        "b",
        "3",
        "'c'",
        '"text"',
        "jiffies",
        "current",
        "STAP_ARG_s",
        "STAP_ARG_x",
        "NULL",
        "t",
        "AF_INET",
    ],
    ["+", "-", "*", "&", "&&", "<", "==", "=", "+=", ",", "?", ">>", "%"],
    ["int", "u8", "long", "char", "void", "bool", "struct sk_buff", "struct iphdr"],
    ["len", "dev", "next", "ttl", "head", "name", "sk"],
    ["->", ".", "[0]."],
]


def test_lines_with_words_changed() -> None:
    """A token gives way to one of its kind, so that most texts are C, and many make no sense."""
    pick = random.Random(2)
    good = 0
    for _ in range(400):
        tokens = re.findall(r'"[^"]*"|->|[+=&|<>]{2}|\w+|\S', " ".join(LINES[:2] + pick.sample(LINES[2:], 3)))
        for _ in range(pick.randrange(1, 3)):
            at = pick.randrange(14, len(tokens))
            group = next((g for g in ALIKE if tokens[at] in g), None)
            if group is not None:
                tokens[at] = pick.choice(group)
        good += check(" ".join(tokens))
    assert 100 < good < 390  # neither all about parsing nor all right


def test_top_level() -> None:
    pick = random.Random(3)
    for _ in range(150):
        code = " ".join(pick.choice(WORDS) for _ in range(pick.randrange(1, 15)))
        made = attempt(f"%{{\n{code}\n%}}\nprobe begin {{ }}")
        assert made.program is not None or made.bag.errors
