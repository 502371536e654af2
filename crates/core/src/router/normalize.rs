//! Request paths as nginx normalises them (compat §2.1).

use std::borrow::Cow;

/// Why a request path cannot be routed. The answer is 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not start with `/`.
    #[error("the path does not start with a slash")]
    NotAbsolute,
    /// A `%` is not followed by two hexadecimal digits, or the two say NUL.
    #[error("the path has an invalid percent escape")]
    BadEscape,
    /// `..` leads above the root.
    #[error("the path leads above the root")]
    AboveRoot,
    /// Its decoded form is not UTF-8. nginx would take it; our paths are text.
    #[error("the path is not UTF-8")]
    NotUtf8,
}

/// Decodes percent escapes, resolves `.` and `..` segments and merges slashes. Escaped dots and slashes
/// count as dots and slashes. Borrowed when nothing changes.
///
/// # Errors
///
/// See [`PathError`].
pub fn normalize_path(path: &str) -> Result<Cow<'_, str>, PathError> {
    if !path.starts_with('/') {
        return Err(PathError::NotAbsolute);
    }
    if is_normal(path) {
        return Ok(Cow::Borrowed(path));
    }
    let resolved = resolve(&decode(path)?)?;
    String::from_utf8(resolved)
        .map(Cow::Owned)
        .map_err(|_| PathError::NotUtf8)
}

/// The path without one trailing `/`, for `delete_uri_tail_slash`. The root stays.
#[must_use]
pub fn strip_tail_slash(path: &str) -> &str {
    match path.strip_suffix('/') {
        Some(stripped) if !stripped.is_empty() => stripped,
        _ => path,
    }
}

fn is_normal(path: &str) -> bool {
    let dots = |segment: &str| segment == "." || segment == "..";
    !path.contains('%') && !path.contains("//") && !path.split('/').any(dots)
}

fn decode(path: &str) -> Result<Vec<u8>, PathError> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => escaped(bytes.next(), bytes.next()).ok_or(PathError::BadEscape)?,
            plain => plain,
        });
    }
    Ok(decoded)
}

fn escaped(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    let byte = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
    (byte != 0).then_some(byte)
}

fn resolve(path: &[u8]) -> Result<Vec<u8>, PathError> {
    let mut resolved = Vec::with_capacity(path.len());
    let mut is_directory = false;
    for segment in path.split(|byte| *byte == b'/') {
        is_directory = matches!(segment, b"" | b"." | b"..");
        match segment {
            b"" | b"." => {}
            b".." => {
                let parent = resolved
                    .iter()
                    .rposition(|byte| *byte == b'/')
                    .ok_or(PathError::AboveRoot)?;
                resolved.truncate(parent);
            }
            name => {
                resolved.push(b'/');
                resolved.extend_from_slice(name);
            }
        }
    }
    if is_directory {
        resolved.push(b'/');
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_paths_are_borrowed() {
        for path in [
            "/",
            "/a",
            "/a/",
            "/a.b/..c/.well-known/d..",
            "/...",
            "/é",
            "/a:b*",
        ] {
            assert!(
                matches!(normalize_path(path), Ok(Cow::Borrowed(same)) if same == path),
                "{path}"
            );
        }
    }

    #[test]
    fn normalisation() {
        for (path, normal) in [
            ("//", "/"),
            ("//a///b//", "/a/b/"),
            ("/a/./b", "/a/b"),
            ("/a/.", "/a/"),
            ("/.", "/"),
            ("/a/b/../c", "/a/c"),
            ("/a/b/..", "/a/"),
            ("/a/..", "/"),
            ("/a/../", "/"),
            ("/a//../b", "/b"),
            ("/%61%2Fb", "/a/b"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("/a%20b", "/a b"),
            ("/%C3%A9", "/é"),
            ("/%25", "/%"),
            ("/%2525", "/%25"),
            ("/%3Fx%23y", "/?x#y"),
        ] {
            assert_eq!(normalize_path(path).as_deref(), Ok(normal), "{path}");
        }
    }

    #[test]
    fn refusals() {
        for (path, error) in [
            ("", PathError::NotAbsolute),
            ("*", PathError::NotAbsolute),
            ("a/b", PathError::NotAbsolute),
            ("/%", PathError::BadEscape),
            ("/%2", PathError::BadEscape),
            ("/%zz", PathError::BadEscape),
            ("/%+1", PathError::BadEscape),
            ("/a%00", PathError::BadEscape),
            ("/..", PathError::AboveRoot),
            ("/a/../../b", PathError::AboveRoot),
            ("/%2e%2e/", PathError::AboveRoot),
            ("/%ff", PathError::NotUtf8),
        ] {
            assert_eq!(normalize_path(path), Err(error), "{path}");
        }
    }

    #[test]
    fn tail_slash() {
        for (path, stripped) in [("/", "/"), ("/a", "/a"), ("/a/", "/a"), ("/a//", "/a/")] {
            assert_eq!(strip_tail_slash(path), stripped);
        }
    }

    proptest::proptest! {
        #[test]
        fn the_result_is_normal(path in r"/([./a%é]|%2e|%2f|%41){0,12}") {
            if let Ok(normal) = normalize_path(&path) {
                let decoded_percent = normal.contains('%');
                proptest::prop_assert!(decoded_percent || is_normal(&normal), "{path} -> {normal}");
                proptest::prop_assert!(normal.starts_with('/'));
            }
        }
    }
}
