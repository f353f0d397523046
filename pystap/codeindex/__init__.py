"""Which source file of the kernel a function is in: an index built offline from kernels' debug packages, and shipped.

Pure and read lazily: nothing is opened until a file is asked for.
"""

from __future__ import annotations
