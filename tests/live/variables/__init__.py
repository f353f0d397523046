"""Variables of the traced side, live."""
