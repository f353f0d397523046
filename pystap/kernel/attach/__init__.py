"""Attaching programs to events: one module a kind, each with `attach_...(prog_fd, ...) -> Attachment`.

Attachments can be closed in any order, more than once, and are gone with the process.
"""
