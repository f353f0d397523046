"""Probe kinds: the words of a probe point -> events of the IR, and the variables that a handler has there.

One file a kind. `base.resolve(parts, env)` picks the kind by the first word. `Event.args` of each kind
is None or a dict:

    begin end error   {"order": int}: handlers run by rising order, then in source order
    never             None
    timer             {"ns": int, "randomize": int}
    tp_btf            name: the tracepoint; None
    sys_enter         {"numbers": list of syscall numbers, or None for all}
    sys_exit          the same
    perf              {"type": int, "config": int, "freq": int} or {..., "period": int}
    function          name: the function; {"module": str ("" = kernel), "ret": bool, "offset": int}

A kind may give a prologue: SystemTap text that assigns the alias's script variables; only what the handler
reads of it is kept. Imports: nothing of `lang`; a probe point comes as components with `name`, `arg` and `span`.
"""
