"""An interpreter of eBPF, the tests' oracle for generated code; a run of a script never loads it.

machine.py is the interpreter; helpers*.py and kfuncs.py are what programs may call, maps.py their maps, world.py what
they see of the machine.
"""
