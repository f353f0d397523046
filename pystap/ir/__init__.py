"""The intermediate representation: `nodes` (its shape), `ops` (its operations), `format` (printf formats)."""
