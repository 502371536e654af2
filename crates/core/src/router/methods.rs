//! Sets of HTTP methods.

use http::Method;

/// The methods that a route may name (compat §2.3), in the order of their bits.
const NAMES: [&str; 10] = [
    "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PURGE",
];

/// The `methods` of a route. The empty set, which is the default, stands for any method, those included
/// that no route can name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Methods(u16);

/// A method that a route cannot name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown method '{0}'")]
pub struct UnknownMethod(pub String);

impl Methods {
    /// The set of the given names, in upper case.
    ///
    /// # Errors
    ///
    /// When a name is none of those that the schema allows.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownMethod> {
        names
            .into_iter()
            .try_fold(Self::default(), |set, name| match bit(name) {
                0 => Err(UnknownMethod(name.to_owned())),
                bit => Ok(Self(set.0 | bit)),
            })
    }

    /// Whether a request with this method passes.
    #[must_use]
    pub fn contains(self, method: &Method) -> bool {
        self.0 == 0 || self.0 & bit(method.as_str()) != 0
    }
}

/// Zero for an unknown name.
fn bit(name: &str) -> u16 {
    NAMES
        .iter()
        .position(|known| *known == name)
        .map_or(0, |index| 1 << index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn membership() {
        let purge = Method::from_bytes(b"PURGE").unwrap();
        let mkcol = Method::from_bytes(b"MKCOL").unwrap();
        let some = Methods::parse(["GET", "PURGE"]).unwrap();
        assert!(some.contains(&Method::GET) && some.contains(&purge));
        assert!(!some.contains(&Method::HEAD), "HEAD is not implied by GET");
        assert!(!some.contains(&Method::POST) && !some.contains(&mkcol));
    }

    #[test]
    fn none_means_any() {
        let mkcol = Method::from_bytes(b"MKCOL").unwrap();
        assert!(Methods::default().contains(&Method::TRACE) && Methods::default().contains(&mkcol));
        assert_eq!(Methods::parse([]), Ok(Methods::default()));
    }

    #[test]
    fn unknown_names_are_refused() {
        assert_eq!(
            Methods::parse(["GET", "FETCH"]),
            Err(UnknownMethod("FETCH".into()))
        );
        assert!(Methods::parse(["get"]).is_err());
    }
}
