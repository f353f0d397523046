"""The tools' descriptions, their options, and what a user gets wrong about them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from cli_kit import ROOT, Command

from pystap.cli.toml import read
from pystap.cli.tool_macros import WIDTHS
from pystap.cli.tool_values import TYPES

FOLDER = ROOT / "pystap" / "tools"
TOOLS = sorted(path.stem for path in FOLDER.glob("*.stp"))
COLUMNS = {*WIDTHS, "address"}


# -- the descriptions


@pytest.mark.parametrize("name", TOOLS)
def test_our_reader_reads_what_tomllib_reads(name: str) -> None:
    text = (FOLDER / f"{name}.toml").read_text()
    about = read(text)
    assert about == tomllib.loads(text)
    assert set(about) == {"summary", "about", "examples", "options", "columns"}
    for option in about["options"].values():
        assert option["type"] in TYPES and option["help"]
        assert not set(option) - {
            "type",
            "help",
            "short",
            "default",
            "position",
            "excludes",
            "value",
            "choices",
        }
    for column in about["columns"].values():
        assert column["type"] in COLUMNS and column["help"]
        assert not set(column) - {"type", "help", "width", "heading", "only"}
    assert len(about["examples"]) % 2 == 0 and all(
        line.startswith(f"pystap {name}") for line in about["examples"][::2]
    )


@pytest.mark.parametrize(
    "text",
    [
        'a = "x\\"y\\\\z\\n"',
        "a = 12\nb = true\n\n# of that\n[t]\nc = false",
        'a = ["x", 1, "y, z]"]\n[t.u]\nb = []\n[t.v]\nb = 2',
        'a = """\none\n\n two"""\nb = """three"""',
    ],
)
def test_the_part_of_toml(text: str) -> None:
    assert read(text) == tomllib.loads(text)


@pytest.mark.parametrize("text", ["what", "a = x", 'a = "b" c'])
def test_what_is_not_toml(text: str) -> None:
    with pytest.raises(ValueError):
        read(text)
    with pytest.raises(ValueError):
        tomllib.loads(text)


@pytest.mark.parametrize("name", TOOLS)
def test_help_has_every_option_column_and_example(pystap: Command, name: str) -> None:
    page = pystap(name, "--help").worked()
    about = read((FOLDER / f"{name}.toml").read_text())
    for option, entry in about["options"].items():
        assert f"--{option}" in page and entry["help"] in page
    for entry in about["columns"].values():
        assert entry["help"] in page
    assert all(word in page for word in about["examples"])
    assert about["about"].strip() in page
    assert f"  {name} " in pystap("--help").worked()


@pytest.mark.parametrize("name", TOOLS)
def test_every_example_compiles(pystap: Command, name: str) -> None:
    for line in read((FOLDER / f"{name}.toml").read_text())["examples"][::2]:
        pystap("-p3", *line.split()[1:]).worked()


@pytest.mark.parametrize("name", TOOLS)
def test_json_has_the_columns_as_keys(pystap: Command, name: str) -> None:
    columns = list(read((FOLDER / f"{name}.toml").read_text())["columns"])
    out = pystap("-p1", name, "-f", "json").worked()
    formats = re.findall(r'printf\("(\{.*?\})\\n"', out)
    assert formats, out
    for text in formats:
        assert re.findall(r'\\"(\w+)\\": %[ds]', text) == columns
    assert "json" not in pystap("-p1", name).worked()


# -- options


def test_an_option_that_is_not_given_costs_nothing(pystap: Command) -> None:
    """No comparison of it is left, in no stage."""

    def left(*words: str) -> str:
        return pystap("-p3", "--dump-after=optimise", "tcpstates", *words).worked()

    bare = left()
    assert "54321" in left("--port", "54321") and "nginx" in left("--comm", "nginx")
    assert len(left("--port", "54321")) > len(bare) < len(left("--uid", "0"))
    assert bare == left("--format", "text")


def test_options_in_every_form(pystap: Command) -> None:
    want = pystap("-p3", "--dump-after=optimise", "tcpstates", "--port", "80").worked()
    for words in (["--port=80"], ["-P", "80"], ["-P80"], ["-P80", "-w"]):
        assert pystap("-p3", "--dump-after=optimise", "tcpstates", *words).worked() == want
    assert pystap("-p3", "--dump-after=optimise", "tcpstates", "-P81").worked() != want


def test_names_with_quotes_are_names(pystap: Command) -> None:
    out = pystap("-p1", "tcpstates", "--comm", 'a"b\\c').worked()
    assert r'"a\"b\\c"' in out


def test_tool_options_stand_behind_the_tool(pystap: Command) -> None:
    pystap("--port", "80", "tcpstates").failed("E901", "'--port'")
    assert "timer.ms(1000)" in pystap("-p1", "-w", "nettop", "1").worked()
    assert "kernel stage" in pystap("-w", "explain", "nettop", "-P53", "1", "2").worked()


@pytest.mark.parametrize(
    ("words", "code", "texts"),
    [
        (["nettop", "--port", "http"], "E903", ["--port takes a port", "'http'", "see pystap nettop --help"]),
        (["nettop", "--port=0"], "E903", ["--port takes a port", "'0'"]),
        (["nettop", "-P65536"], "E903", ["-P takes a port", "'65536'"]),
        (["nettop", "-P", "-1"], "E903", ["'-1'"]),
        (["nettop", "--port", "\u0668"], "E903", ["takes a port"]),
        (["nettop", "--port="], "E903", ["''"]),
        (["nettop", "--port"], "E902", ["'--port' needs a value"]),
        (["nettop", "--pid", "self"], "E903", ["the number of a process"]),
        (["nettop", "--uid", "no such user"], "E903", ["a user's number or name"]),
        (["nettop", "--comm", "a-name-that-is-too-long"], "E903", ["1 to 15 bytes"]),
        (["nettop", "--ipv4=yes"], "E902", ["'--ipv4' takes no value"]),
        (["nettop", "-4", "-6"], "E901", ["--ipv6 or --ipv4, not both"]),
        (["nettop", "often"], "E903", ["INTERVAL takes seconds", "'often'"]),
        (["nettop", "0"], "E903", ["from 0.1"]),
        (["nettop", "1", "x"], "E903", ["COUNT takes a number", "'x'"]),
        (["nettop", "1", "2", "3"], "E901", ["at most INTERVAL and COUNT", "'3'"]),
        (
            ["nettop", "--reason", "x"],
            "E901",
            ["nettop has no option '--reason'", "see pystap nettop --help"],
        ),
        (["tcpstates", "--interval", "1"], "E901", ["tcpstates has no option '--interval'"]),
        (["tcpstates", "--prot", "1"], "E901", ["no option '--prot'", "did you mean '--port'?"]),
        (["tcpstates", "-i1"], "E901", ["tcpstates has no option '-i'"]),
        (["tcp-connections", "--kind", "open"], "E903", ["one of accept, connect, fail, close", "'open'"]),
        (["socket-trace", "--call", "conect"], "E903", ["the name of a system call", "'conect'"]),
        (["tcpdumplike", "--proto", "256"], "E903", ["icmp, tcp, udp or a number to 255"]),
        (["tcpstates", "-f", "yaml"], "E903", ["text or json", "'yaml'"]),
    ],
    ids=" ".join,
)
def test_mistakes(pystap: Command, words: list[str], code: str, texts: list[str]) -> None:
    pystap("-p1", *words).failed(code, *texts)


def test_a_file_of_a_tools_name_has_no_options_of_the_tool(pystap: Command) -> None:
    Path("nettop").write_text("probe begin { println($1) exit() }")
    pystap("-p1", "nettop", "--port", "80").failed("E901", "unknown option '--port'")
    assert "17" in pystap("-p1", "nettop", "17").worked()
