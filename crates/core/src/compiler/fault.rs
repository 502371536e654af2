//! How it is said where in a resource something does not hold: as the checks of schemas say it (compat §1.9).

use std::fmt::Display;

use serde::de::DeserializeOwned;
use serde_json::Value;

/// What is wrong with a member.
pub(super) fn fault_of(member: &str, fault: impl Display) -> String {
    format!("property \"{member}\" validation failed: {fault}")
}

/// Reads what a member holds; a fault names the members on the way to it.
pub(super) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path: Vec<String> = error.path().iter().map(ToString::to_string).collect();
        let fault = error.into_inner().to_string();
        path.iter()
            .rev()
            .fold(fault, |fault, member| fault_of(member, fault))
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Outer {
        #[expect(dead_code, reason = "only read")]
        inner: Inner,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        #[expect(dead_code, reason = "only read")]
        number: u32,
    }

    #[test]
    fn faults_name_the_members_on_the_way() {
        let fault = read::<Outer>(&json!({"inner": {"number": 5_000_000_000_u64}})).unwrap_err();
        assert_eq!(
            fault,
            "property \"inner\" validation failed: property \"number\" validation failed: invalid value: integer \
             `5000000000`, expected u32"
        );
    }
}
