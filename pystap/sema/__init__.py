"""AST -> typed IR. Here: what both languages share; `stp/` and `bt/` have their own passes.

target.py   the kernel and machine that a script is compiled for, and the options that change its meaning
build.py    writing IR in order
paths.py    following members, indexes and pointers of kernel types, and reading what is there
"""
