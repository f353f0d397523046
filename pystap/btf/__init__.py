"""BTF, the kernel's own type information: parse, look up, lay out, write. Pure: bytes in, values out.

    from pystap.btf.cache import open_btf
    btf = open_btf(data, cache_dir, key)        # index from the cache, or made and stored; or Btf(data)
    btf = open_btf(data, cache_dir, key, defer=True)  # on a first run scan only, and later (after attaching)
    store_index(btf)                            # make and store it; does nothing if it was there

    btf.type(id)                                # one type, parsed now
    btf.find_struct("sk_buff")                  # find_union, _enum, _typedef, _func, _var, ...
    btf.find_enumerator("TCP_ESTABLISHED")      # (1, <enum>)
    btf.find_tracepoint("kfree_skb").params     # named parameters, without __data
    btf.tracepoints("sched_*")                  # names for listings; names(group, pattern)
    btf.resolve(type)                           # without typedefs, qualifiers, tags; forward -> definition

    from pystap.btf.layout import field_path, sizeof, members, offsetof
    path = field_path(btf, sk_buff, ["dev", "name"])
    path.offsets, path.type, path.size          # offsets of the loads, what is there, how wide
    path.bit_shift, path.bit_size               # bit fields
    type_name(path.type)                        # "char[16]"

`types` has the classes (Int, Ptr, Array, Struct, ...), `write.BtfWriter` makes BTF, `extract.extract` makes a
small BTF of some types of a large one. Errors are `BtfError`, and `FieldError` for a path that doesn't exist.
"""

from __future__ import annotations

from .errors import BtfError, FieldError
from .lookup import Btf, Tracepoint, pointer_tags, resolve
from .spelling import declare, type_name

__all__ = ["Btf", "BtfError", "FieldError", "Tracepoint", "declare", "pointer_tags", "resolve", "type_name"]
