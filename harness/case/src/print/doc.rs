//! Text that may be broken over lines: brackets stay on one line while they fit.

/// How wide a line may be.
pub(super) const WIDTH: usize = 110;

/// A piece of a line.
#[derive(Debug, Clone)]
pub(super) enum Doc {
    Text(String),
    /// One piece behind the other.
    Cat(Vec<Doc>),
    /// Items between brackets; broken, each stands on a line of its own.
    Group {
        open: &'static str,
        items: Vec<Doc>,
        close: &'static str,
    },
}

impl Doc {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Doc::Text(text.into())
    }

    pub(super) fn flat(&self) -> String {
        match self {
            Doc::Text(text) => text.clone(),
            Doc::Cat(parts) => parts.iter().map(Doc::flat).collect(),
            Doc::Group { open, items, close } => {
                let inner: Vec<String> = items.iter().map(Doc::flat).collect();
                let pad = if *open == "{" && !items.is_empty() {
                    " "
                } else {
                    ""
                };
                format!("{open}{pad}{}{pad}{close}", inner.join(", "))
            }
        }
    }

    /// The text that begins at `column`; broken lines are indented by `indent` and more.
    pub(super) fn render(&self, column: usize, indent: usize) -> String {
        let flat = self.flat();
        if column + flat.chars().count() <= WIDTH {
            return flat;
        }
        match self {
            Doc::Text(text) => text.clone(),
            Doc::Cat(parts) => {
                // The last brackets with something in them are opened; what stands before and behind stays whole.
                let Some(breaks) = parts.iter().rposition(Doc::breaks) else {
                    return flat;
                };
                let before: String = parts[..breaks].iter().map(Doc::flat).collect();
                let behind: String = parts[breaks + 1..].iter().map(Doc::flat).collect();
                format!(
                    "{before}{}{behind}",
                    parts[breaks].broken(column + before.chars().count(), indent)
                )
            }
            Doc::Group { .. } => self.broken(column, indent),
        }
    }

    fn breaks(&self) -> bool {
        match self {
            Doc::Text(_) => false,
            Doc::Cat(parts) => parts.iter().any(Doc::breaks),
            Doc::Group { items, .. } => !items.is_empty(),
        }
    }

    fn broken(&self, column: usize, indent: usize) -> String {
        let Doc::Group { open, items, close } = self else {
            return match self {
                Doc::Cat(parts) => {
                    let Some(breaks) = parts.iter().rposition(Doc::breaks) else {
                        return self.flat();
                    };
                    let before: String = parts[..breaks].iter().map(Doc::flat).collect();
                    let behind: String = parts[breaks + 1..].iter().map(Doc::flat).collect();
                    let at = column + before.chars().count();
                    format!("{before}{}{behind}", parts[breaks].broken(at, indent))
                }
                _ => self.flat(),
            };
        };
        let deeper = indent + 2;
        let mut out = format!("{open}\n");
        for (i, item) in items.iter().enumerate() {
            let comma = if i + 1 < items.len() { "," } else { "" };
            put(
                &mut out,
                &format!(
                    "{:deeper$}{}{comma}\n",
                    "",
                    item.render(deeper + comma.len(), deeper)
                ),
            );
        }
        put(&mut out, &format!("{:indent$}{close}", ""));
        out
    }
}

/// Adds to the text.
pub(super) fn put(out: &mut String, text: &str) {
    out.push_str(text);
}
