use serde_json::Value;

use super::*;

fn access() -> Access {
    Access {
        base_url: "http://1.2.3.4:9080".to_owned(),
        key: "consumer-key".to_owned(),
        model: "user.gemma-4-31b-it".to_owned(),
        context: CONTEXT,
        output: OUTPUT,
        embedding_model: Some("user.harrier-oss-v1-0.6b".to_owned()),
        dimension: None,
    }
}

fn rendered(name: &str, access: &Access) -> String {
    Tool::find(name).unwrap().render(access)
}

#[test]
fn the_older_form_is_kept_to_the_letter() {
    insta::assert_snapshot!(rendered("kilo-seed", &access()));
}

#[test]
fn the_native_form_has_known_root_keys_only() {
    let config: Value = serde_json::from_str(&rendered("kilo", &access())).unwrap();
    let mut keys: Vec<_> = config.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["$schema", "experimental", "indexing", "model", "provider"]);
    insta::assert_snapshot!(rendered("kilo", &access()));
}

#[test]
fn without_embeddings_nothing_is_indexed() {
    let without = Access {
        embedding_model: None,
        ..access()
    };
    for tool in ["kilo", "kilo-seed"] {
        let config: Value = serde_json::from_str(&rendered(tool, &without)).unwrap();
        assert_eq!(config.get("indexing"), None, "{tool}");
        assert_eq!(config["experimental"]["semantic_indexing"], false, "{tool}");
    }
    for tool in ["continue", "open-webui", "env"] {
        assert!(!rendered(tool, &without).contains("harrier"), "{tool}");
    }
}

#[test]
fn every_file_has_key_address_and_model() {
    for tool in Tool::ALL {
        let file = tool.render(&access());
        for fact in ["consumer-key", "http://1.2.3.4:9080", "user.gemma-4-31b-it"] {
            assert!(file.contains(fact), "{fact} is not in {}:\n{file}", tool.name);
        }
    }
}

#[test]
fn json_files_are_json_whatever_a_name_is() {
    let odd = Access {
        model: "a\"b\n'c`$(x)\\".to_owned(),
        key: "k\"'".to_owned(),
        ..access()
    };
    for tool in ["kilo", "kilo-seed", "opencode", "claude-code", "cline"] {
        let config: Result<Value, _> = serde_json::from_str(&rendered(tool, &odd));
        assert!(config.is_ok(), "{tool}");
    }
    assert!(rendered("env", &odd).contains(r#"GATEWAY_API_KEY='k"'\'''"#));
}

#[test]
fn names_are_unique() {
    let mut names: Vec<_> = Tool::ALL.iter().map(|tool| tool.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Tool::ALL.len());
}
