"""Live tests of generated code use the rig and the model of the tests without root."""

from __future__ import annotations

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "unit", "ebpf"))
