"""Every mistake of a user: a message with its code, what and where; status 1; never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_kit import ROOT, Command

# -- the script's file


def test_no_script(pystap: Command) -> None:
    pystap().failed("E910", "no script given", "help: ")


def test_no_such_file(pystap: Command) -> None:
    Path("drops.stp").write_text("probe begin { exit() }")
    pystap("-p1", "drop.stp").failed("E911", "drop.stp: No such file", "did you mean 'drops.stp'?")
    pystap("-p1", "nowhere/drops.stp").failed("E911", "nowhere/drops.stp: No such file")
    pystap("-p1", "netop").failed("E911", "did you mean 'nettop'?")


def test_a_folder(pystap: Command) -> None:
    Path("folder").mkdir()
    ran = pystap("-p1", "folder")
    ran.failed("E911", "folder: Is a directory")
    assert "did you mean" not in ran.err


def test_a_link_that_leads_nowhere(pystap: Command) -> None:
    Path("link.stp").symlink_to("gone")
    ran = pystap("-p1", "link.stp")
    ran.failed("E911", "link.stp: No such file")
    assert "did you mean" not in ran.err


def test_a_name_without_letters(pystap: Command) -> None:
    pystap("-p1", "").failed("E911", "'': No such file")


@pytest.mark.parametrize(
    ("data", "say"),
    [
        (Path("/proc/self/exe").read_bytes()[:4096], "a program"),
        ("probe begin { }".encode("utf-16"), "UTF-16"),
        (b"\x1f\x8b\x08\0script", "compressed"),
    ],
)
def test_what_is_no_text(pystap: Command, data: bytes, say: str) -> None:
    for name in ("a.stp", "a.bt", "a"):
        Path(name).write_bytes(data)
        ran = pystap("-p1", name)
        ran.failed("E911", f"{name} is no script", say)
        assert ran.err.count("\n") == 1, ran.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_an_unreadable_file(pystap: Command) -> None:
    Path("a.stp").touch(mode=0)
    pystap("-p1", "a.stp").failed("E911", "a.stp: Permission denied")


def test_a_name_with_a_null(pystap: Command) -> None:
    pystap("-p1", "a\0b.stp").failed("E911", "null byte")


@pytest.mark.parametrize(("name", "hint"), [("a.stp", "probe begin"), ("a.bt", "BEGIN")])
def test_an_empty_file(pystap: Command, name: str, hint: str) -> None:
    Path(name).touch()
    pystap("-p2", name).failed("E306", "no probe", hint)


def test_not_utf8(pystap: Command) -> None:
    """Bytes that aren't UTF-8 stay what they are; where only names may stand they are a mistake."""
    Path("a.stp").write_bytes(b'# J\xf6rg\nprobe begin {\n  println("caf\xe9")\n}\n')
    ran = pystap("-p3", "a.stp")
    assert ran.status == 0 and not ran.err
    Path("b.stp").write_bytes(b"probe begin { caf\xe9 = 1 }\n")
    pystap("-p1", "b.stp").failed("E101", "b.stp:1:18", "'\\xe9'")
    assert pystap("-p3", "-e", 'probe begin { println("caf\udce9") }').status == 0


def test_a_byte_order_mark_and_foreign_line_ends(pystap: Command) -> None:
    Path("a.stp").write_bytes(b"\xef\xbb\xbfprobe begin {\r\n\tprintln(1)\r\n}\r\n")
    assert pystap("-p2", "a.stp").status == 0


def test_options_of_the_first_line(pystap: Command) -> None:
    """The kernel gives all of them as one word."""
    Path("a.stp").write_text("#!/usr/bin/stap -v -p1\nprobe begin { println(@1) }\n")
    ran = pystap("-v -p1", "a.stp", "x")
    assert ran.status == 0 and "Pass 1" in ran.err
    pystap("-v -p2", "a.stp", "x").failed("E901", "unknown option")


def test_a_script_of_another_language(pystap: Command) -> None:
    Path("a.stp").write_text("#!/usr/bin/env python3\nimport os\n")
    pystap("-p1", "a.stp").failed("E120", "a.stp:2:1", "this looks like Python")


def test_a_script_by_the_other_languages_name(pystap: Command) -> None:
    Path("a.bt").write_text("probe begin { exit() }\n")
    pystap("-p1", "a.bt").failed("E120", "a.bt:1:1", "looks like a SystemTap script", "--lang")
    Path("a.stp").write_text("BEGIN { exit(); }\n")
    pystap("-p1", "a.stp").failed("E120", "a.stp:1:1", "looks like a bpftrace script", "--lang")


def test_ten_megabytes_of_noise(pystap: Command) -> None:
    Path("a.stp").write_bytes(os.urandom(10 << 20))
    pystap("-p1", "a.stp").failed("E911", "a.stp is too large")


@pytest.mark.parametrize("name", ["a.stp", "a.bt"])
def test_noise_that_is_text(pystap: Command, name: str) -> None:
    Path(name).write_text(os.urandom(1 << 19).hex(" ", 7) + " \u00e9\u4e2d")
    ran = pystap("-p1", name)
    assert ran.status == 1 and f"--> {name}:1:" in ran.err and "Traceback" not in ran.err
    assert len(ran.err) < 20000, "a flood"


@pytest.mark.parametrize("name", ["a.stp", "a.bt"])
def test_null_bytes(pystap: Command, name: str) -> None:
    body = "probe begin { exit() }" if name == "a.stp" else "BEGIN { exit(); }"
    Path(name).write_text(f"{body}\n\0\0\n")
    ran = pystap("-p1", name)
    assert ran.status == 1 and f"--> {name}:2:1" in ran.err and "\\x00" in ran.err and "\0" not in ran.err


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.stp", "probe begin { x = " + "(" * 50000 + "1" + ")" * 50000 + " }"),
        ("a.stp", "probe begin { x = " + "-" * 50000 + "1 }"),
        ("a.stp", "probe begin " + "{" * 50000 + "}" * 50000),
        ("a.stp", "probe begin { " + "if (1) " * 50000 + "; }"),
        ("a.stp", "probe begin { x = 1" + "+1" * 50000 + " }"),
        ("a.stp", "%( 1 == 1 %? " * 50000),
        ("a.bt", "BEGIN { $x = " + "(" * 50000 + "1" + ")" * 50000 + "; }"),
        ("a.bt", "BEGIN " + "{ " * 50000 + "}" * 50000),
        ("a.bt", "BEGIN { $x = 1" + "+1" * 50000 + "; }"),
        ("a.bt", "BEGIN { " + "if (1) { " * 50000),
    ],
)
def test_nested_without_end(pystap: Command, name: str, text: str) -> None:
    Path(name).write_text(text)
    ran = pystap("-p2", name)
    assert ran.status == 1 and f"--> {name}:1:" in ran.err, ran.err[:500]
    assert "Traceback" not in ran.err and "E999" not in ran.err, ran.err[:500]


def test_the_deepest_that_the_parser_takes_is_compiled(pystap: Command) -> None:
    """No pass may recurse deeper than the limit allows for what the parser let through."""
    text = (
        "probe begin { x = 1"
        + "+1" * 900
        + " println(x) } probe timer.s(1) { x = "
        + "(" * 200
        + "1"
        + ")" * 200
    )
    pystap("-p3", "-e", text + " println(x) }").worked()


# -- names and types, with the place


@pytest.mark.parametrize(
    ("text", "code", "say"),
    [
        ("probe begn { exit() }", "E301", ("unknown probe point 'begn'", ":1:7", "did you mean 'begin'?")),
        (
            "global x probe begin { x <<< 1 print(@hist_linear(x, 0, 99999999, 1)) }",
            "E129",
            ("more than 100000 buckets", ":1:38", "a larger step"),
        ),
        ("probe vm { }", "E301", ("unknown probe point 'vm'", "there are vm.", "vm.pagefault")),
        ("probe netdev.nosuch { }", "E301", ("'netdev.nosuch'", "netdev.receive")),
        ("probe netfilter.ipv4.nosuch { }", "E301", ("'ipv4' can't follow", "netfilter.ipv4.local_in")),
        ("probe timer { }", "E301", ("'timer' alone is no probe point", "timer.s(number)")),
        (
            "probe timer.profile.freq { }",
            "E301",
            ("alone is no probe point", "timer.profile.freq.hz(number)"),
        ),
        ("probe syscall { }", "E301", ("'syscall' alone is no probe point", "syscall.NAME")),
        ("probe quux { }", "E301", ("unknown probe point 'quux'", "--dump-probe-types")),
        ('probe kernel.trace("quux") { }', "E303", ("'quux'", "pystap -l")),
        ("probe begin { x = \u2192 }", "E101", ("the character '\u2192' has no meaning",)),
        ('probe kernel.trace("kfree_sk") { }', "E303", ("'kfree_sk'", ":1:14")),
        ('probe kernel.trace("kfree_skb") { println($locatio) }', "E230", ("'$locatio'", ":1:43")),
        (
            'probe kernel.trace("kfree_skb") { println($skb->lenn) }',
            "E231",
            ("'lenn'", ":1:47", "did you mean 'len'?"),
        ),
        ('probe begin { x = 1; x = "a" }', "E201", ("type mismatch", ":1:26", "<input>:1:19")),
        ('probe begin { println(substr("a")) }', "E210", ("'substr' takes 3 arguments, 1 given", ":1:23")),
        (
            "probe begin { prinft(1) }",
            "E209",
            ("unknown function 'prinft'", ":1:15", "did you mean 'printf'?"),
        ),
        ("probe begin { println(1 }", "E120", ("<input>:1:25",)),
        ("probe begin { println(@1) }", "E106", ("no script argument 1", ":1:23")),
    ],
)
def test_systemtap(pystap: Command, text: str, code: str, say: tuple[str, ...]) -> None:
    pystap("-p3", "-e", text).failed(code, *say)


@pytest.mark.parametrize(
    ("text", "say"),
    [
        ("BEGN { exit(); }", ("BEGN", ":1:1")),
        ("tracepoint:sock:inet_sock_set_stat { }", ("inet_sock_set_stat", ":1:1")),
        (
            "tracepoint:sock:inet_sock_set_state { print(args.newstat); }",
            ("newstat", ":1:50", "did you mean 'newstate'?"),
        ),
        ('BEGIN { $x = 1; $x = "a"; }', (":1:17",)),
        ("BEGIN { prinft(1); }", ("prinft", ":1:9", "did you mean 'printf'?")),
        ("BEGIN { strlen(); }", ("strlen", ":1:9")),
        ("BEGIN { printf(1 }", (":1:18",)),
    ],
)
def test_bpftrace(pystap: Command, text: str, say: tuple[str, ...]) -> None:
    ran = pystap("-p3", "--lang=bt", "-e", text)
    assert ran.status == 1, ran.out
    for word in say:
        assert word in ran.err, ran.err
    assert "E999" not in ran.err and "error[E" in ran.err


def test_several_at_once(pystap: Command) -> None:
    ran = pystap("-p2", "-e", "probe begin { foo() } probe end { bar() }")
    ran.failed("E209", "'foo'", "'bar'")


# -- options that make no sense for the script


def test_two_targets(pystap: Command) -> None:
    script = ("-p3", "-e", "probe begin { println(target()) }")
    pystap("-c", "true", "-x", "1", *script).failed("E903", "-c and -x")


def test_globals_and_limits(pystap: Command) -> None:
    script = ("-p3", "-e", "global count probe begin { println(count) }")
    pystap("-G", "cont=3", *script).failed("E902", "cont", "did you mean 'count'?")
    pystap("-D", "MAXACTION=lots", *script).failed("E903", "MAXACTION", "'lots'")
    pystap("-D", "MAXSTRINGLEN=1", *script).failed("E903", "MAXSTRINGLEN", "from 8")
    assert "-D MAXACTON: there is no such limit" in pystap("-D", "MAXACTON=1", *script).err
    assert "STP_NO_OVERLOAD" not in pystap("-D", "STP_NO_OVERLOAD", *script).err
    pystap("-G", "count=3", "-DMAXACTION=100", *script).worked()


def test_dump_of_no_pass(pystap: Command) -> None:
    pystap("--dump-after=semantics", "-p3", "-e", "probe begin { }").failed("E904", "passes: parse sema")


# -- output that can't be written; closed descriptors


def child(*words: str, **how: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "pystap", *words]
    return subprocess.run(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False, timeout=60, **how
    )  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["-p1", "-e", "probe begin { }"]])
def test_a_full_disk(words: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = child(*words, stdout=full)
    assert done.returncode == 1
    assert done.stderr == "error[E922]: standard output can't be written: No space left on device\n"


def test_standard_output_is_closed() -> None:
    done = child("-p1", "-e", "probe begin { }", preexec_fn=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (
        1,
        "error[E922]: standard output can't be written: Bad file descriptor\n",
    )


def test_everything_is_closed() -> None:
    done = child("-p1", "-e", "probe begin { }", preexec_fn=lambda: os.closerange(0, 3))
    assert done.returncode == 1


def test_nobody_reads() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = child("-p1", "-e", "probe begin { }", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_terminal_of_another_encoding() -> None:
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = child("-p1", "-e", 'probe begin { println("é") }', stdout=subprocess.PIPE, env=env)
    assert done.returncode == 0 and 'println("' in done.stdout, done.stderr


def test_a_bug_is_called_one(pystap: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("pystap.staging.stage", broken)
    ran = pystap("-p3", "-e", "probe begin { }")
    assert ran.status == 1 and "this is a bug in pystap: KeyError" in ran.err and "Traceback" not in ran.err


def test_bpftrace_without_a_script(pystap: Command) -> None:
    pystap("bpftrace").failed("E910", "no script given", "bpftrace -e")
