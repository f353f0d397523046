"""Probe kinds: the words of a probe point -> events of the IR, and the variables that a handler has there.

One file a kind. `base.resolve(parts, env)` picks the kind by the first word. `Event.args` of each kind
is None or a dict:

    begin end error   {"order": int}: handlers run by rising order, then in source order
    never             None
    signal            name: the signal that the tracer gets; None
    timer             {"ns": int, "randomize": int}
    tp_btf            name: the tracepoint; None, or {"standin": the function for which it stands (standins/fixes.py)},
                      {"entries": numbers of the system calls whose return it is}
    sys_enter         {"numbers": list of syscall numbers, or None for all}
    sys_exit          the same
    perf              {"type": int, "config": int, "freq": int} or {..., "period": int}
    iter              name: the kind of objects; None
    netfilter         {"hooks": [(family, hook), ...], "priority": int}, or "last": bool for it
    fentry fexit      name: the function; None or {"module": str, "ret": bool}
    function          bpftrace's way to say either: {"module": str ("" = kernel), "ret": bool, "offset": int}
    kprobe kretprobe  {"functions": ((number, module, name, symbol), ...), "multi": by one link, "ret": bool, "offset": int,
                      "point": text before and behind the function's name}: functions by their symbols;
                      {"offset": int} in the function that is the event's name, or {"addr": int}: a place in code
    of functions      "among": the probe point, where its other places may do without this one ("" for the only one);
                      "beside": it has an event that isn't one of these places

Staging adds "when" (staging/early.py) and, for sets of system calls that it marks, events of its own.

A kind may give a prologue: SystemTap text that assigns the alias's script variables; only what the handler
reads of it is kept. Imports: nothing of `lang`; a probe point comes as components with `name`, `arg` and `span`.
"""
