//! Everything a person or a CI reads: terminal, JUnit, JSON, Markdown, HTML, snapshots.
