"""The user stage: IR to Python source text. `generate(staged, options)` is the whole interface.

The text is plain Python that names what the runtime gives it: every such name begins with an
underscore. `_b_NAME` is the body of a builtin, `_gN` the state of global number N, and the others are listed
in `runtime/env.py`. A script's own functions and locals never begin with one.
"""

from __future__ import annotations

from .module import generate

__all__ = ["generate"]
