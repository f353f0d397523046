"""Runs in gdb: for each asked (address, seed), the functions there from the innermost on, with their variables.

$MACHINE_ASKED is a file with the questions, $MACHINE_ANSWERED the one for the answers (both JSON):
[[function, line, {name: variable}], ...] each, where a variable is {"type", "argument", and one of "out": True,
"address": n, "value": n, "leaves": [[offset, bytes, n or None], ...]}.
"""

import json
import os

import gdb

SCALARS = (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_ENUM, gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_BOOL, gdb.TYPE_CODE_CHAR)
KINDS = {gdb.TYPE_CODE_STRUCT: "struct", gdb.TYPE_CODE_UNION: "union", gdb.TYPE_CODE_ENUM: "enum"}


def type_of(type, depth=0):
    type = type.unqualified()
    code = type.code
    if depth > 20 or code == gdb.TYPE_CODE_VOID:
        return ["void"]
    if code == gdb.TYPE_CODE_PTR:
        return ["ptr", type_of(type.target(), depth + 1)]
    if code == gdb.TYPE_CODE_TYPEDEF:
        return ["typedef", type.name, type_of(type.target(), depth + 1)]
    if code in KINDS:
        return [KINDS[code], type.tag or "", type.sizeof]
    if code == gdb.TYPE_CODE_ARRAY:
        try:
            low, high = type.range()
        except gdb.error:
            low, high = 0, -1
        return ["array", type_of(type.target(), depth + 1), high - low + 1]
    if code == gdb.TYPE_CODE_FUNC:
        return ["function"]
    return ["base", type.sizeof, type.code != gdb.TYPE_CODE_BOOL and type.is_signed]  # gdb shortens names


def leaves(value, base, out):
    type = value.type.strip_typedefs()
    if type.code == gdb.TYPE_CODE_STRUCT:
        for field in type.fields():
            if hasattr(field, "bitpos") and not field.bitsize and field.bitpos % 8 == 0:
                leaves(value[field], base + field.bitpos // 8, out)
    elif type.code in SCALARS:
        try:
            number = None if value.is_optimized_out else int(value) & ((1 << 8 * type.sizeof) - 1)
        except gdb.error:
            number = None
        out.append([base, type.sizeof, number])


def shown(symbol, frame):
    out = {"type": type_of(symbol.type), "argument": symbol.is_argument}
    try:
        value = symbol.value(frame)
        type = value.type.strip_typedefs()
        members = []
        if type.code not in SCALARS and value.address is None:
            leaves(value, 0, members)
        if any(number is not None for _, _, number in members):
            out["leaves"] = members
        elif value.is_optimized_out or "synthetic" in value.format_string():
            out["out"] = True
        elif value.address is not None:
            out["address"] = int(value.address) & 0xFFFFFFFFFFFFFFFF
        elif type.code in SCALARS:
            out["value"] = int(value) & ((1 << 8 * type.sizeof) - 1)
    except (gdb.error, ValueError, TypeError) as error:
        text = str(error)
        if "optimized out" in text:
            out["out"] = True
        else:
            out["error"] = text
    return out


def variables(frame):
    out = {}
    block = frame.block()
    while block is not None:
        for symbol in block:
            known = symbol.name in out or symbol.type.name == "__CORE_ADDR"  # of labels
            if (symbol.is_argument or symbol.is_variable or symbol.is_constant) and not known:
                out[symbol.name] = shown(symbol, frame)
        if block.function is not None:
            break
        block = block.superblock
    return out


def there(address, seed):
    gdb.execute(f"monitor go {seed} {address}", to_string=True)
    gdb.execute("maint flush register-cache", to_string=True)
    frame = gdb.newest_frame()
    out = []
    while frame is not None:
        name = frame.function().name if frame.function() is not None else ""
        out.append([name, frame.find_sal().line, variables(frame) if name else {}])
        if frame.type() != gdb.INLINE_FRAME:
            break
        frame = frame.older()
    return out


def main():
    with open(os.environ["MACHINE_ASKED"]) as file:
        asked = json.load(file)
    for setting in (
        "stack-cache off",
        "code-cache off",
        "backtrace limit 8",
        "pagination off",
        "confirm off",
    ):
        gdb.execute("set " + setting)
    answers = []
    for address, seed in asked:
        try:
            answers.append(there(address, seed))
        except gdb.error as error:
            answers.append(str(error))
    with open(os.environ["MACHINE_ANSWERED"], "w") as file:
        json.dump(answers, file)


main()
