"""Settings: of the script and of the environment, which counts more; each has a meaning, none, or is refused."""

from __future__ import annotations

import pytest

from pystap.diag import Bag
from pystap.lang.bt.parser import parse
from pystap.options import Options
from pystap.sema.bt.config import KEYS, MEANINGLESS, Config, with_settings
from pystap.source import Source

from .tools import begin, errors, module


def test_every_setting_is_known_for_what_it_is() -> None:
    assert set(KEYS) == {*MEANINGLESS, *Config.__slots__, "license"}


def test_the_environment_counts_more() -> None:
    script = "config = { max_map_keys = 10 } BEGIN { @a[1] = 1; }"
    (glob,) = module(script).globals
    assert glob.capacity == 10
    (glob,) = module(script, settings=(("max_map_keys", "20"),)).globals
    assert glob.capacity == 20


def test_a_bad_value_of_the_environment_is_an_error() -> None:
    for text in ("0", "-1", "many", ""):
        (found,) = errors("BEGIN { }", settings=(("max_strlen", text),))
        assert found == ("E270", "BPFTRACE_MAX_STRLEN needs a number above 0")
    ((code, _),) = errors("BEGIN { }", settings=(("max_strlen", "1000000"),))
    assert code == "E270"


def test_text_and_length() -> None:
    assert "str_trailer" not in " ".join(
        begin('printf("%s", str(0));', settings=(("str_trunc_trailer", ""),))
    )
    assert begin("@a = str(0);", settings=(("max_strlen", "16"),))[0] == "t1 = load_str <u16 +0 zero> 0"


def test_a_file_is_read_so_far() -> None:
    assert begin('cat("/x");')[-1] == 'call cat_file "/x" 10240'
    assert begin('cat("/x");', settings=(("max_cat_bytes", "5"),))[-1] == 'call cat_file "/x" 5'


def test_no_more_probes_than_allowed() -> None:
    script = "BEGIN { } END { } interval:s:1 { exit(); }"
    assert errors(script, settings=(("max_probes", "3"),)) == []
    ((code, words),) = errors(script, settings=(("max_probes", "2"),))
    assert (code, words) == ("E309", "3 probes are more than the 2 of max_probes")


def test_another_licence_is_refused() -> None:
    ((code, _),) = errors('config = { license = "MIT" } BEGIN { }')
    assert code == "E401"
    assert errors('config = { license = "Dual BSD/GPL" } BEGIN { }') == []


@pytest.mark.parametrize(("pages", "size"), [(1, 2 << 20), (64, 2 << 20), (1024, 4 << 20), (1025, 8 << 20)])
def test_the_buffer_is_never_smaller(pages: int, size: int) -> None:
    tree = parse(Source("x", f"config = {{ perf_rb_pages = {pages} }} BEGIN {{ }}"), [], Bag())
    assert with_settings(Options(), tree).buffer == size
    tree = parse(Source("x", "BEGIN { }"), [], Bag())
    assert with_settings(Options(settings=(("perf_rb_pages", str(pages)),)), tree).buffer == size
