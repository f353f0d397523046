"""The library: functions, probe aliases and macros in SystemTap's own language, by kernel area.

`index_gen.py` says which file has what, so that a script reads only the files that it needs; it is made by
scripts/gen_tapset_index.py. Functions and aliases reach the machine through `__builtin_...` (see
sema/stp/intrinsics.py). A function whose body is one `return` (or one expression) is written in place.
"""
