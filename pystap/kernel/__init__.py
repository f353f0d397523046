"""The only door to system calls: `bpf(2)`, `perf_event_open(2)`, and what the live kernel tells.

Nothing here knows scripts or the compiler; nothing outside calls the kernel. Importing this
package reads nothing and calls nothing.
"""
