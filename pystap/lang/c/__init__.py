"""Embedded C: text -> tokens without comments and macros (`preprocess`) -> pycparser's tree (`parse`).

What the tree means is `sema/c`'s business. pycparser is no part of the standard library: it is imported when a
script has C code, and `parse` says how to get it where it is missing.
"""
