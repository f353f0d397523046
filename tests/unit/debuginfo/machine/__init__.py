"""A made-up machine that gdb debugs: what it says of variables is compared with what pystap says.

Registers and memory are random numbers, so two readings of one place agree only if they look at the same things.
"""
