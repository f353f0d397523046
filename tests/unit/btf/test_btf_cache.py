"""The index file: used when it is right, made anew in every other case."""

from __future__ import annotations

import os

import pytest

from pystap.btf import Btf, BtfError, build
from pystap.btf.build import build_index
from pystap.btf.cache import cache_path, open_btf, store_index
from pystap.btf.index import BtfIndex
from pystap.btf.scan import PATIENCE
from pystap.btf.write import BtfWriter

KEY = b"6.18.0 #1 SMP; 0123"


@pytest.fixture
def builds(monkeypatch) -> list[int]:
    """Count how often an index is built."""
    made: list[int] = []
    real = build.build_index

    def counted(blob):
        made.append(1)
        return real(blob)

    monkeypatch.setattr(build, "build_index", counted)
    return made


def check(btf: Btf) -> None:
    assert btf.find_struct("iphdr").size == 20
    assert btf.find_enumerator("TCP_ESTABLISHED")[0] == 1


def test_the_second_opening_builds_nothing(kernel_bytes, tmp_path, builds):
    cache = str(tmp_path / "new" / "dir")
    check(open_btf(kernel_bytes, cache, KEY))
    assert len(builds) == 1
    check(open_btf(kernel_bytes, cache, KEY))
    assert len(builds) == 1


def test_the_file_is_private_and_alone(kernel_bytes, tmp_path):
    cache = tmp_path / "cache"
    open_btf(kernel_bytes, str(cache), KEY)
    assert [str(p) for p in cache.iterdir()] == [cache_path(str(cache), KEY)]
    assert os.stat(cache_path(str(cache), KEY)).st_mode & 0o777 == 0o600
    assert cache.stat().st_mode & 0o777 == 0o700


def test_without_a_directory_nothing_is_stored(kernel_bytes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    btf = open_btf(kernel_bytes, None, KEY)
    check(btf)
    store_index(btf)
    assert list(tmp_path.iterdir()) == []


def tiny() -> bytes:
    writer = BtfWriter()
    writer.add_struct("iphdr", 20, [])
    writer.add_enum("", [("TCP_ESTABLISHED", 1)])
    return writer.to_bytes()


@pytest.mark.parametrize("bit", [0, 7])
def test_any_damage_is_noticed(tmp_path, builds, bit):
    data = tiny()
    cache = str(tmp_path)
    open_btf(data, cache, KEY)
    path = cache_path(cache, KEY)
    with open(path, "rb") as file:
        good = file.read()
    for at in range(len(good)):
        bad = bytearray(good)
        bad[at] ^= 1 << bit
        with open(path, "wb") as file:
            file.write(bad)
        builds.clear()
        check(open_btf(data, cache, KEY))
        assert builds == [1], f"byte {at}"
        with open(path, "rb") as file:
            assert file.read() == good, f"byte {at}"


def test_any_length_is_noticed(tmp_path, builds):
    data = tiny()
    cache = str(tmp_path)
    open_btf(data, cache, KEY)
    path = cache_path(cache, KEY)
    with open(path, "rb") as file:
        good = file.read()
    for bad in [good[:n] for n in range(len(good))] + [good + b"\0", good * 2]:
        with open(path, "wb") as file:
            file.write(bad)
        builds.clear()
        check(open_btf(data, cache, KEY))
        assert builds == [1], f"length {len(bad)}"


def test_another_key_or_other_bytes_are_noticed(kernel_bytes, tmp_path, builds):
    cache = str(tmp_path)
    open_btf(kernel_bytes, cache, KEY)
    other = KEY[:-1] + b"4"
    os.rename(cache_path(cache, KEY), cache_path(cache, other))
    builds.clear()
    check(open_btf(kernel_bytes, cache, other))
    assert builds == [1]
    check(open_btf(tiny(), cache, other))
    assert builds == [1, 1]
    check(open_btf(kernel_bytes, cache, other))
    assert builds == [1, 1, 1]


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_not_trusted(kernel_bytes, tmp_path, builds, mode):
    cache = str(tmp_path)
    open_btf(kernel_bytes, cache, KEY)
    os.chmod(cache_path(cache, KEY), mode)
    check(open_btf(kernel_bytes, cache, KEY))
    assert builds == [1, 1]
    assert os.stat(cache_path(cache, KEY)).st_mode & 0o777 == 0o600


def test_a_file_of_another_user_is_not_trusted(kernel_bytes, tmp_path, builds, monkeypatch):
    cache = str(tmp_path)
    open_btf(kernel_bytes, cache, KEY)
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    check(open_btf(kernel_bytes, cache, KEY))
    assert builds == [1, 1]


def test_a_link_is_not_followed(kernel_bytes, tmp_path, builds):
    cache = str(tmp_path / "cache")
    open_btf(kernel_bytes, cache, KEY)
    path = cache_path(cache, KEY)
    os.rename(path, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", path)
    check(open_btf(kernel_bytes, cache, KEY))
    assert builds == [1, 1]
    assert not os.path.islink(path)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_not_a_file_costs_nothing_but_time(kernel_bytes, tmp_path, builds, make):
    path = cache_path(str(tmp_path), KEY)
    make(path)
    check(open_btf(kernel_bytes, str(tmp_path), KEY))
    assert builds == [1]


def test_a_directory_that_cant_be_made(kernel_bytes, tmp_path, builds):
    (tmp_path / "file").write_text("")
    check(open_btf(kernel_bytes, str(tmp_path / "file" / "cache"), KEY))
    assert builds == [1]


def test_a_full_disk_leaves_nothing(kernel_bytes, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "write", lambda fd, data: len(data) // 2)
    check(open_btf(kernel_bytes, str(tmp_path), KEY))
    assert list(tmp_path.iterdir()) == []


def test_a_failing_disk_leaves_nothing(kernel_bytes, tmp_path, monkeypatch):
    def full(fd, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    check(open_btf(kernel_bytes, str(tmp_path), KEY))
    assert list(tmp_path.iterdir()) == []


def test_a_module_has_its_own_index(kernel_bytes, kernel, tmp_path, builds):
    part = BtfWriter(kernel.end_id, kernel.string_end)
    part.add_struct("of_module", 8, [("sk", kernel.find_struct("sock").id, 0, 0)])
    builds.clear()  # of the base's
    for _ in range(2):
        module = open_btf(part.to_bytes(), str(tmp_path), KEY + b" module", kernel)
        assert module.find_struct("of_module").members[0].type is kernel.find_struct("sock")
        check(module)
        assert len(builds) == 1


def test_bad_btf_is_an_error_not_a_cache(tmp_path):
    with pytest.raises(BtfError):
        open_btf(b"not BTF at all, not even nearly", str(tmp_path), KEY)
    assert list(tmp_path.iterdir()) == []


def test_an_index_of_other_bytes_names_nothing_wrong(kernel_bytes):
    foreign = BtfIndex(build_index(Btf(tiny())))
    btf = Btf(kernel_bytes, foreign)
    for find, name in [(btf.find_struct, "iphdr"), (btf.find_struct, "sock")]:
        try:
            found = find(name)
        except BtfError:
            continue
        assert found is None or found.name == name


def test_storing_may_wait(kernel_bytes, tmp_path, builds):
    btf = open_btf(kernel_bytes, str(tmp_path), KEY, defer=True)
    check(btf)
    assert builds == []
    assert list(tmp_path.iterdir()) == []
    store_index(btf)
    check(btf)
    assert builds == [1]
    store_index(btf)
    again = open_btf(kernel_bytes, str(tmp_path), KEY, defer=True)
    check(again)
    store_index(again)
    assert builds == [1]


def test_many_names_make_the_tables_at_once(kernel_bytes, tmp_path, builds):
    btf = open_btf(kernel_bytes, str(tmp_path), KEY, defer=True)
    for i in range(PATIENCE + 1):
        assert btf.find_struct(f"nope{i}") is None
    check(btf)
    assert builds == [1]
    store_index(btf)
    assert builds == [1]
    check(open_btf(kernel_bytes, str(tmp_path), KEY))
    assert builds == [1]
