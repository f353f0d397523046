"""A plain evaluator of the kernel stage's IR over integers, for comparison with generated code."""

from __future__ import annotations

from pystap.backend.ebpf.loops import EXCEEDED
from pystap.ir.nodes import Const, If, Leave, Loop, Op, Scope, Try
from tests.kit.arithmetic import BINARY, UNARY, Fault, s64


class Gone(Exception):
    """A Leave on its way."""

    def __init__(self, label):
        super().__init__()
        self.label = label


def extend(name, value, bits):
    value &= (1 << bits) - 1
    return value - (1 << bits) if name == "sext" and value >> (bits - 1) else value


class Model:
    """Runs a body. `put` holds the fields by offset; `scalars` the globals."""

    def __init__(self, args, max_action=1000):
        self.args = args
        self.local = {}
        self.put = {}
        self.globals = {}
        self.turns = 0
        self.max_action = max_action
        self.error = None

    def value(self, operand):
        return operand.value if isinstance(operand, Const) else self.local.get(operand, 0)

    def run(self, body):
        """Run the whole; False when it ended in an error."""
        try:
            self.block(body)
        except Fault as fault:
            self.error = str(fault)
            return False
        return True

    def block(self, body):
        for stmt in body:
            if isinstance(stmt, Op):
                self.op(stmt)
            elif isinstance(stmt, If):
                self.block(stmt.then if self.value(stmt.cond) else stmt.els)
            elif isinstance(stmt, Scope):
                try:
                    self.block(stmt.body)
                except Gone as gone:
                    if gone.label is not stmt.label:
                        raise
            elif isinstance(stmt, Leave):
                raise Gone(stmt.label)
            elif isinstance(stmt, Try):
                try:
                    self.block(stmt.body)
                except Fault as fault:
                    if str(fault).startswith("MAXACTION"):
                        raise
                    self.block(stmt.handler)
            elif isinstance(stmt, Loop):
                self.loop(stmt)
            else:
                raise AssertionError(stmt)

    def loop(self, stmt):
        try:
            while True:
                self.turns += 1
                if self.turns > self.max_action:
                    raise Fault(EXCEEDED)
                self.block(stmt.body)
        except Gone as gone:
            if gone.label is not stmt.label:
                raise

    def op(self, op):
        name, args = op.name, [self.value(a) for a in op.args]
        if name == "put":
            self.put[op.attr.offset] = args[0]
        elif name == "reserve":
            pass
        elif name == "add_to":
            self.globals[op.attr] = s64(self.globals.get(op.attr, 0) + args[0])
        elif name == "get":
            self.local[op.dst] = self.globals.get(op.attr, 0)
        elif name == "set":
            self.globals[op.attr] = args[0]
        elif name == "raise":
            raise Fault(op.args[0].value)
        else:
            self.local[op.dst] = s64(int(self.result(op, args)))

    def result(self, op, args):
        name = op.name
        if name == "ctx_arg":
            return self.args[op.attr[0]]
        if name == "mov":
            return args[0]
        if name in BINARY:
            return BINARY[name](*args)
        if name in UNARY:
            return UNARY[name](*args)
        return extend(name, args[0], op.attr)
