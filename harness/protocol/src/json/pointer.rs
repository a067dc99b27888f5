//! JSON pointers (RFC 6901).

/// Writes `/token` at the end of a pointer, escaped.
pub fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    if !token.contains(['~', '/']) {
        return pointer.push_str(token);
    }
    for c in token.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// A pointer with one more token.
pub fn join(pointer: &str, token: &str) -> String {
    let mut longer = String::with_capacity(pointer.len() + token.len() + 1);
    longer.push_str(pointer);
    push(&mut longer, token);
    longer
}

/// The tokens of a pointer, unescaped. `None` where it neither is empty nor begins with a slash.
pub fn tokens(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    Some(pointer.strip_prefix('/')?.split('/').map(unescape).collect())
}

/// Parent pointer and last token. `None` for the whole and for what is no pointer.
pub fn split_last(pointer: &str) -> Option<(&str, String)> {
    if !pointer.starts_with('/') {
        return None;
    }
    let (parent, last) = pointer.rsplit_once('/')?;
    Some((parent, unescape(last)))
}

/// An array index: decimal digits without leading zeros.
pub(crate) fn index(token: &str) -> Option<usize> {
    if token.is_empty()
        || token.len() > 1 && token.starts_with('0')
        || !token.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    token.parse().ok()
}

fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_both_ways() {
        let pointer = join(&join("", "a/b"), "~1");
        assert_eq!(pointer, "/a~1b/~01");
        assert_eq!(tokens(&pointer).unwrap(), ["a/b", "~1"]);
        assert_eq!(split_last(&pointer), Some(("/a~1b", "~1".to_owned())));
        assert_eq!(split_last(""), None);
        assert_eq!(tokens("a"), None);
        assert_eq!(tokens("/").unwrap(), [""]);
    }
}
