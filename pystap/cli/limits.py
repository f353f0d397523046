"""-D NAME=VALUE: the limits of a run. SystemTap compiles them into its module as macros; here they are options."""

from __future__ import annotations

from ..diag import Bag, did_you_mean, fail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..options import Options

_LIMITS = {
    "MAXMAPENTRIES": "maxmapentries",
    "MAXSTRINGLEN": "maxstringlen",
    "MAXERRORS": "maxerrors",
    "MAXACTION": "max_action",
    "MAXLOG": "max_log",
    "HIST_WIDTH": "hist_width",
    "HIST_ELISION": "hist_elision",
}
# SystemTap's that have nothing to limit here: handlers don't nest, locks aren't waited for, overload isn't watched.
_WITHOUT_EFFECT = (
    *("MAXNESTING", "MAXSKIPPED", "MAXTRYLOCK", "TRYLOCKDELAY", "MAXBACKTRACE", "MAXACTION_INTERRUPTIBLE"),
    *("MINSTACKSPACE", "STP_NO_OVERLOAD", "STP_OVERLOAD_INTERVAL", "STP_OVERLOAD_THRESHOLD", "STP_ALIBI"),
    *("STP_NO_BUILDID_CHECK", "STP_PROCFS_BUFSIZE", "STP_TIMING", "KRETACTIVE"),
    *("STAP_SUPPRESS_HANDLER_ERRORS", "STAP_SUPPRESS_TIME_LIMITS_ENABLE"),
)
_LEAST = {"maxstringlen": 8, "maxmapentries": 1, "hist_width": 1, "hist_elision": -1}
_MOST = {"max_log": 1 << 20, "maxstringlen": 1 << 16, "maxmapentries": 1 << 26}


def with_limits(options: Options, bag: Bag) -> Options:
    """Return the options with the limits that their -D words set; CompileError for a value that is none."""
    changes: dict[str, int] = {}
    for name, value in options.defines:
        field = _LIMITS.get(name)
        if field is not None:
            changes[field] = _value(name, field, value)
        elif name not in _WITHOUT_EFFECT:
            near = did_you_mean(name, _LIMITS)
            hint = f"did you mean '{near}'?" if near else "limits: " + " ".join(_LIMITS)
            bag.warn("W901", f"-D {name}: there is no such limit", None, hint)
    changed: Options = options.replace(**changes) if changes else options
    return changed


def _value(name: str, field: str, text: str) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        raise fail("E903", f"-D {name} takes a number, not '{text}'") from None
    low, high = _LEAST.get(field, 0), _MOST.get(field, 1 << 62)
    if not low <= number <= high:
        raise fail("E903", f"-D {name} takes a number from {low} to {high}, not {number}")
    return number
