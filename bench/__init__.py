"""Benchmarks: pystap next to the distribution's bpftrace, as ratios of alternating runs. `python3 -m bench`."""
