"""SystemTap scripts: lexer, preprocessor, parser, syntax tree, printer. Start at `parser.parse`."""
