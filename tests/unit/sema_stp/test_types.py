"""Types of casts and variables: of the kernel, of modules, of the kernel's own variables."""

from __future__ import annotations

import pytest

from pystap.btf import Btf
from pystap.btf.write import BtfWriter
from pystap.diag import Bag
from pystap.ir.nodes import Module
from pystap.lang.stp.parser import PreprocEnv, parse
from pystap.options import Options
from pystap.sema.stp import analyse
from pystap.sema.stp.macros import MACROS
from pystap.sema.target import Target
from pystap.source import Source

from .tools import BTF, body_text


def _module() -> Btf:
    """Types of a module: struct flow { long first; struct sock *sk; struct flow *next; struct flow_more *more; }."""
    made = BtfWriter(BTF.end_id, BTF.string_end)
    sock = BTF.find_struct("sock")
    assert sock is not None
    first = BTF.end_id
    number = made.add_int("flow number", 8, 1)
    to_sock = made.add_ptr(sock.id)
    to_self = made.add_ptr(first + 5)
    forward = made.add_fwd("flow_more")
    to_more = made.add_ptr(forward)
    fields = [
        ("first", number, 0, 0),
        ("sk", to_sock, 64, 0),
        ("next", to_self, 128, 0),
        ("more", to_more, 192, 0),
    ]
    assert made.add_struct("flow", 32, fields) == first + 5
    made.add_struct("flow_more", 16, [("a", number, 0, 0), ("b", number, 64, 0)])
    return Btf(made.to_bytes(), base=BTF)


MODULE = _module()


class Symbols:
    """Symbols of a kernel."""

    def address(self, name: str) -> int | None:
        """Return the address of a symbol."""
        return {"jiffies": -4096, "avenrun": -8192, "init_task": -12288, "else": -16384}.get(name)


def compiled(text: str, symbols: Symbols | None = None) -> tuple[Module | None, Bag]:
    """Compile for a kernel with one module."""
    bag = Bag()
    tree = parse(Source("t.stp", text), PreprocEnv(macros=MACROS), bag)
    modules = {"flows": MODULE}
    return analyse(
        tree, Target(BTF, release="6.18.0", module=modules.get, symbols=symbols), Options(), bag
    ), bag


def begin(text: str, symbols: Symbols | None = None) -> str:
    """Return the IR of a begin handler."""
    made, bag = compiled(f"probe begin {{ {text} }}", symbols)
    assert made is not None, bag.items
    return body_text(made.handlers[0].body)


@pytest.mark.parametrize("where", ["flows", "kernel:flows", "kernel:flows<net/flows.h>", "nothing:flows"])
def test_types_of_modules(where: str) -> None:
    text = f'println(@cast(4096, "struct flow", "{where}")->%s)'
    assert "load <i8 +0" in begin(text % "first")
    assert "sock>" in begin(text % "sk->__sk_common->skc_num")
    assert begin(text % "next->next->first").count("load") == 3
    # a forward declaration is completed from the module's own types
    assert "+8" in begin(text % "more->b")


def test_script_variables_remember_types_of_modules() -> None:
    assert "+8" in begin('p = @cast(4096, "struct flow", "flows") q = p->next println(q->more->b)')


@pytest.mark.parametrize(
    "where", ["kernel", "kernel<linux/skbuff.h>", "<linux/skbuff.h>", "kernel<uapi/linux/tcp.h>", "flows"]
)
def test_types_of_the_kernel(where: str) -> None:
    assert "load" in begin(f'println(@cast(4096, "struct sk_buff", "{where}")->len)')


@pytest.mark.parametrize(
    "text, code, hint",
    [
        ('println(@cast(1, "struct flow")->first)', "E237", ""),
        ('println(@cast(1, "struct flow", "other")->first)', "E237", "the module 'other' isn't loaded"),
        ('println(@cast(1, "struct fllow", "flows")->first)', "E237", "did you mean 'struct flow'?"),
        ('println(@cast(1, "struct flow", "/bin/true")->first)', "E237", "types of processes"),
        ('println(@cast(1, "struct flow", "kernel<x.h>")->first)', "E237", "not from headers"),
        ('println(@cast(1, "struct flow", "flows")->frst)', "E231", "did you mean 'first'?"),
    ],
)
def test_mistakes(text: str, code: str, hint: str) -> None:
    made, bag = compiled(f"probe begin {{ {text} }}")
    assert made is None
    assert bag.errors[0].code == code
    assert any(hint in h for h in bag.errors[0].hints) or (not hint and not bag.errors[0].hints), bag.errors


@pytest.mark.parametrize(
    "text, code, hint",
    [
        ("probe syscall.openat { println(filname) }", "E213", "did you mean 'filename'?"),
        ("probe syscall.read.return { println(retvl) }", "E213", "did you mean 'retval'?"),
        ('probe begin { println("a" + 1) }', "E201", "strings are joined with '.'"),
        ('probe begin { println("a" . 1) }', "E201", "sprint(1) is a string"),
    ],
)
def test_hints(text: str, code: str, hint: str) -> None:
    _, bag = compiled(text)
    assert [(d.code, d.hints) for d in bag.items] == [(code, (hint,))]


def test_variables_of_the_kernel() -> None:
    known = Symbols()
    assert "load <u8 +0> -4096" in begin('println(@var("jiffies"))', known).replace(" unsigned", "")
    assert "+16" in begin('println(@var("avenrun")[2])', known)
    assert "load_str" in begin('println(kernel_string(@var("init_task")->comm))', known)
    assert 'printf "%d\\n" -16384' in begin('println(&@var("else"))', known)
    assert "load" in begin('println(@cast(&@var("else"), "struct sk_buff")->len)', known)
    # without a table of symbols the run finds the address
    assert "kernel_addr" in begin('println(@var("jiffies"))')


@pytest.mark.parametrize(
    "text, words",
    [
        ('println(@var("else"))', "the type of 'else'"),
        ('println(&@var("nothing"))', "has no variable 'nothing'"),
    ],
)
def test_variables_that_cannot_be_read(text: str, words: str) -> None:
    made, bag = compiled(f"probe begin {{ {text} }}", Symbols())
    assert made is None
    assert bag.errors[0].code == "E236" and words in bag.errors[0].message
