//! What references say.

use sluice_resource::is_secret_reference;

const SECRET: &str = "$secret://";
const ENV: &str = "$env://";

/// A reference, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reference<'a> {
    /// `$env://NAME` or `$env://NAME/json_key`.
    Environment { name: &'a str, key: Option<&'a str> },
    /// `$secret://{manager}/{id}/{key…}`.
    Managed {
        /// Manager and id, for example `vault/1`: how the `secrets` resource is named.
        manager: &'a str,
        /// What the manager is asked for.
        document: &'a str,
        /// The member of it that is meant; without one, all of it.
        field: Option<&'a str>,
    },
}

/// The reference that a text is. `None` for any other text, an error for a reference that leads nowhere.
pub(crate) fn parse(text: &str) -> Option<Result<Reference<'_>, &'static str>> {
    if !is_secret_reference(text) {
        return None;
    }
    // The prefixes are ASCII: if the shorter one does not fit, the longer one did.
    let rest = match text.get(..ENV.len()) {
        Some(start) if start.eq_ignore_ascii_case(ENV) => return Some(environment(&text[ENV.len()..])),
        _ => &text[SECRET.len()..],
    };
    Some(managed(rest))
}

fn environment(rest: &str) -> Result<Reference<'_>, &'static str> {
    let (name, key) = match rest.split_once('/') {
        Some((name, key)) => (name, Some(key).filter(|key| !key.is_empty())),
        None => (rest, None),
    };
    if name.is_empty() {
        return Err("it names no variable");
    }
    Ok(Reference::Environment { name, key })
}

fn managed(rest: &str) -> Result<Reference<'_>, &'static str> {
    let (kind, after) = rest.split_once('/').ok_or("it names no secret manager")?;
    let (id, key) = after.split_once('/').ok_or("it names no secret resource")?;
    if key.is_empty() {
        return Err("it has no key");
    }
    let manager = &rest[..kind.len() + 1 + id.len()];
    // Vault's keys are paths with the field at the end; elsewhere the name comes first.
    let (document, field) = match kind {
        "vault" => {
            let (document, field) = key.rsplit_once('/').ok_or("its key is not `path/field`")?;
            (document, Some(field))
        }
        _ => match key.split_once('/') {
            Some((document, field)) => (document, Some(field).filter(|field| !field.is_empty())),
            None => (key, None),
        },
    };
    let leads_astray = |part: &str| matches!(part, "." | "..");
    if document.is_empty() || field == Some("") || document.split('/').any(leads_astray) {
        return Err("its key is not a path");
    }
    Ok(Reference::Managed {
        manager,
        document,
        field,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn managed(text: &str) -> (&str, &str, Option<&str>) {
        match parse(text) {
            Some(Ok(Reference::Managed {
                manager,
                document,
                field,
            })) => (manager, document, field),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn references_are_taken_apart() {
        assert_eq!(parse("plain"), None);
        assert_eq!(
            parse("$ENV://NAME"),
            Some(Ok(Reference::Environment {
                name: "NAME",
                key: None
            }))
        );
        assert_eq!(
            parse("$env://NAME/a/b"),
            Some(Ok(Reference::Environment {
                name: "NAME",
                key: Some("a/b")
            }))
        );
        assert_eq!(
            managed("$secret://vault/1/apps/jack/key"),
            ("vault/1", "apps/jack", Some("key"))
        );
        assert_eq!(managed("$Secret://aws/main/jack"), ("aws/main", "jack", None));
        assert_eq!(
            managed("$secret://gcp/1/jack/key"),
            ("gcp/1", "jack", Some("key"))
        );
    }

    #[test]
    fn what_leads_nowhere_is_said_to() {
        for text in [
            "$env://",
            "$env:///key",
            "$secret://",
            "$secret://vault",
            "$secret://vault/1",
            "$secret://vault/1/",
            "$secret://vault/1/field",
            "$secret://vault/1/path/",
            "$secret://vault/1//field",
            "$secret://vault/1/../sys/field",
        ] {
            assert!(matches!(parse(text), Some(Err(_))), "{text}");
        }
    }
}
