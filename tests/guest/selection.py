"""Which tests run inside guests: files (or tests in them) by name, all in one boot for each kernel.

Most are the live tests of this machine's own kernel: what they demand holds on every kernel.
"""

from __future__ import annotations

# Those that run a script file of a kind: with --scripts-dir they, and only they, run its files.
SCENARIOS = (
    "tests/live/scenarios/test_nettop.py::test_rows_of_one_process",
    "tests/live/scenarios/test_tcpstates.py",
    "tests/live/scenarios/test_syscalls.py",
    "tests/live/scenarios/test_dropwatch.py",
    "tests/live/scenarios/test_ioblock.py",
    "tests/live/scenarios/test_language.py",
    "tests/live/scenarios/test_callers.py",
    "tests/live/scenarios/test_bridge_module.py",
    "tests/live/scenarios/test_old_lines.py",
    "tests/live/debuginfo/test_pages.py",
    "tests/live/embedded_c/test_embedded_c.py",
    "tests/live/standins/test_accept.py",
    "tests/live/standins/test_bridge.py",
    "tests/live/standins/test_filter.py",
    "tests/live/standins/test_messages.py",
    "tests/live/standins/test_pages.py",
    "tests/live/standins/test_rungs.py",
    "tests/live/standins/test_socket_calls.py",
    "tests/live/standins/test_segments.py",
)
CHECKS = (
    "tests/guest/inside/check_kernel.py",
    "tests/live/rules/test_ends.py",
    "tests/live/rules/test_rules.py",
    "tests/live/rules/test_threads.py",
    "tests/live/ebpf/test_live_events.py",
    *SCENARIOS,
    "tests/live/standins/test_counted.py",
    "tests/live/functions/test_closed.py",
    "tests/live/functions/test_left_out.py",
    "tests/live/functions/test_many.py",
    "tests/live/functions/test_module_code.py",
    "tests/live/functions/test_modules.py",
    "tests/live/functions/test_points.py",
    "tests/live/functions/test_refusals.py",
    "tests/live/functions/test_refused.py",
    "tests/live/functions/test_returns.py",
    "tests/live/functions/test_untyped.py",
    "tests/live/functions/test_wide.py",
    "tests/live/debuginfo/test_copies.py",
    "tests/live/debuginfo/test_entries.py",
    "tests/live/debuginfo/test_lines.py",
    "tests/live/listing/test_live_files.py",
    "tests/live/variables/test_beside_bpftrace.py",
    "tests/live/variables/test_entry.py",
    "tests/live/variables/test_files.py",
    "tests/live/variables/test_forms.py",
    "tests/live/variables/test_missed.py",
    "tests/live/variables/test_tapset.py",
    "tests/live/variables/test_more_aliases.py",
    "tests/live/language_bt/test_functions.py",
    "tests/live/variables/test_nfs.py",
    "tests/live/language_bt/test_iterators.py",
    "tests/live/language_bt/test_tools.py",
)
