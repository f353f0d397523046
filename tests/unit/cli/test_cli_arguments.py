"""Words to options."""

from __future__ import annotations

import os

import pytest

from pystap.cli.arguments import parse
from pystap.diag import CompileError


def refused(*words: str) -> tuple[str, str]:
    """Parse words that are wrong; return the code and message of the diagnostic."""
    with pytest.raises(CompileError) as caught:
        parse(list(words))
    return caught.value.diagnostic.code, caught.value.diagnostic.message


def test_defaults() -> None:
    args = parse(["a.stp"])
    assert (args.file, args.script, args.last_pass, args.action) == ("a.stp", None, 5, "run")
    assert args.options.args == () and args.options.warnings and args.options.stage == "auto"


def test_bundles() -> None:
    args = parse(["-vvg", "-vp4", "a.stp"])
    assert args.options.verbose == 3 and args.options.guru and args.last_pass == 4


@pytest.mark.parametrize("words", [["-p2"], ["-p", "2"], ["-gp2"], ["-gp", "2"]])
def test_values_stand_next_to_their_option_or_after_it(words: list[str]) -> None:
    args = parse([*words, "a.stp"])
    assert args.last_pass == 2 and args.file == "a.stp"


def test_arguments_follow_the_file() -> None:
    args = parse(["-v", "a.stp", "one", "two", "-g", "-5"])
    assert args.file == "a.stp" and args.options.args == ("one", "two", "-5") and args.options.guru


def test_a_script_as_text_takes_no_file() -> None:
    args = parse(["-e", "probe begin {}", "one"])
    assert args.file is None and args.script == "probe begin {}" and args.options.args == ("one",)


def test_after_two_dashes_all_are_words() -> None:
    args = parse(["a.stp", "--", "-v", "--lang", "--"])
    assert args.options.args == ("-v", "--lang", "--") and not args.options.verbose


def test_a_dash_is_standard_input() -> None:
    assert parse(["-"]).file == "-"


def test_run_options() -> None:
    words = [
        "-o",
        "out",
        "-c",
        "ls -l",
        "-T",
        "1.5",
        "-G",
        "a=3",
        "-G",
        "b=x=y",
        "-D",
        "MAXACTION=7",
        "-DFLAG",
    ]
    words += ["-s", "3", "-w", "-W", "-f", "json"]
    options = parse([*words, "a.stp"]).options
    assert (options.output, options.command, options.timeout) == ("out", "ls -l", 1.5)
    assert options.overrides == (("a", "3"), ("b", "x=y"))
    assert options.defines == (("MAXACTION", "7"), ("FLAG", "1"))
    assert options.buffer == 4 << 20  # a power of two
    assert not options.warnings and options.warnings_as_errors and options.format == "json"


def test_long_options() -> None:
    args = parse(
        ["--lang=bt", "--stage", "mirror", "--dump-after=sema", "--unsafe", "--quiet", "--no-standins", "x"]
    )
    options = args.options
    assert (options.lang, options.stage, args.dump_after) == ("bt", "mirror", "sema")
    assert options.unsafe and options.quiet and not options.standins
    assert not parse(["--no-global-var-display", "x"]).options.display_globals


def test_target_process() -> None:
    assert parse(["-x", "17", "a"]).options.target_pid == 17
    assert parse(["-x0x11", "a"]).options.target_pid == 17


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["-z"], "E901", "'-z'"),
        (["-vz"], "E901", "'-z'"),
        (["--stages"], "E901", "'--stages'"),
        (["-p"], "E902", "'-p'"),
        (["--lang"], "E902", "'--lang'"),
        (["--quiet=1"], "E902", "'--quiet'"),
        (["-p6", "a"], "E903", "from 1 to 5"),
        (["-p0", "a"], "E903", "from 1 to 5"),
        (["-e", "a", "-e", "b"], "E903", "one script"),
        (["-px", "a"], "E903", "'x'"),
        (["-x", "0", "a"], "E903", "-x"),
        (["-x", "bash", "a"], "E903", "'bash'"),
        (["-T", "0", "a"], "E903", "-T"),
        (["-T", "-3", "a"], "E903", "-T"),
        (["-T", "nan", "a"], "E903", "-T"),
        (["-T", "soon", "a"], "E903", "'soon'"),
        (["-s", "0", "a"], "E903", "-s"),
        (["-G", "a", "b"], "E903", "-G takes NAME=VALUE"),
        (["-G", "3=4", "b"], "E903", "-G takes NAME=VALUE"),
        (["-D", "=4", "b"], "E903", "-D takes NAME=VALUE"),
        (["--lang=c", "a"], "E903", "stp or bt"),
        (["--stage=kernel", "a"], "E903", "auto or mirror"),
        (["-f", "xml", "a"], "E903", "text or json"),
        (["-S", "1", "a"], "E903", "-o"),
        (["-S", "x", "-o", "f", "a"], "E903", "'x'"),
        (["-S", "1,0", "-o", "f", "a"], "E903", "-S"),
        (["-F", "a"], "E905", "-o FILE"),
        (["-vi"], "E401", "not supported yet"),
        (["-r", "2.6.18", "a"], "E905", "the kernel that runs"),
        (["-R"], "E902", "'-R'"),
        (["--remote=host", "a"], "E905", "ssh"),
        (["--bpf=1"], "E902", "'--bpf'"),
        (["--privilege=stapusr"], "E905", "capabilities"),
        (["--runtime=dyninst"], "E905", "BPF"),
        (["--skip-badvars"], "E401", "@choose_defined"),
    ],
)
def test_mistakes(words: list[str], code: str, text: str) -> None:
    found, message = refused(*words)
    assert found == code and text in message, message


def test_a_near_option_is_named() -> None:
    with pytest.raises(CompileError) as caught:
        parse(["--stag=mirror"])
    assert caught.value.diagnostic.hints == ("did you mean '--stage'?",)


def test_options_of_stap_alone() -> None:
    """They are taken, with a word where they have no effect; values are taken with them."""
    args = parse(
        ["-bv", "-R", "dir", "-Bx=y", "--modinfo=a=b", "--rlimit-as", "10", "--color", "--bpf", "a.stp", "b"]
    )
    assert (args.file, args.options.args, args.options.verbose) == ("a.stp", ("b",), 1)
    said = [option for option, _ in args.without_effect]
    assert said == ["-b", "-R dir", "-B x=y", "--modinfo=a=b", "--rlimit-as=10", "--color"]
    here = os.uname()
    assert parse(["-r", here.release, "-a", here.machine, "--privilege=stapdev", "x"]).without_effect == []
    assert parse(["--suppress-handler-errors", "x"]).options.defines == (("MAXERRORS", "1000000000"),)


def test_every_option_of_stap() -> None:
    """No option of stap(1) is an unknown one."""
    words = [
        "a",
        "b",
        "B",
        "c",
        "C",
        "d",
        "D",
        "e",
        "E",
        "F",
        "g",
        "G",
        "h",
        "i",
        "I",
        "k",
        "l",
        "L",
        "m",
        "o",
        "p",
        "P",
        "q",
        "r",
        "R",
        "s",
        "S",
        "t",
        "T",
        "u",
        "v",
        "V",
        "w",
        "W",
        "x",
    ]
    longs = [
        "all-modules",
        "bpf",
        "build-as",
        "check-version",
        "clean-cache",
        "color",
        "compatible",
        "disable-cache",
        "download-debuginfo",
        "dump-functions",
        "dump-probe-aliases",
        "dump-probe-types",
        "dyninst",
        "example",
        "help",
        "interactive",
        "language-server",
        "ldd",
        "list-servers",
        "modinfo",
        "monitor",
        "no-global-var-display",
        "poison-cache",
        "privilege",
        "prologue-searching",
        "remote",
        "remote-prefix",
        "rlimit-as",
        "rlimit-cpu",
        "rlimit-fsize",
        "rlimit-nproc",
        "rlimit-stack",
        "runtime",
        "save-uprobes",
        "sign-module",
        "skip-badvars",
        "suppress-handler-errors",
        "suppress-time-limits",
        "sysenv",
        "sysroot",
        "target-namespace",
        "tmpdir",
        "trust-servers",
        "unprivileged",
        "use-http-server",
        "use-server",
        "version",
        "vp",
    ]
    for word in [*[f"-{w}" for w in words if w != "C"], *[f"--{w}" for w in longs]]:
        try:
            parse([word, "1", "1"])
        except CompileError as error:
            assert error.diagnostic.code != "E901", word


def test_more_scripts() -> None:
    args = parse(["-E", "probe end {}", "-I", "a", "-Ib", "-E", "global x", "main.stp"])
    assert args.options.scripts == ("probe end {}", "global x") and args.folders == ["a", "b"]
    assert args.file == "main.stp"
