//! The case language: syntax, typed IR, lint, format, diagram, PICS.
