use super::*;

const EXAMPLE: &str = r#"
event_id: hackathon-2026-spring
title: "Spring Hackathon"
groups:
  alpha:
    title: "Team Alpha"
    users:
      - name: alice
        email: alice@example.com
      - bob
    rate_limit: 2000
    time_window: 60
    models: ["user.*"]
    budget_usd: 25.5
    ends: 2026-12-31
  beta: {users: [dave]}
  gamma: [erin, frank]
"#;

fn problems(yaml: &str) -> Vec<String> {
    Document::from_yaml(yaml)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn both_forms_are_read() {
    let parsed = Document::from_yaml(EXAMPLE).unwrap();
    assert_eq!(parsed.warnings, []);
    let document = parsed.document;
    assert_eq!(document.event_id.as_deref(), Some("hackathon-2026-spring"));
    assert_eq!(document.user_count(), 5);
    let alpha = &document.groups[0];
    assert_eq!(
        (alpha.rate_limit, alpha.time_window, alpha.budget_micro_usd),
        (Some(2000), Some(60), Some(25_500_000))
    );
    assert_eq!(alpha.users[0].email.as_deref(), Some("alice@example.com"));
    assert_eq!(alpha.ends.unwrap().to_string(), "2026-12-31");
    assert_eq!(document.clone().only("gamma").unwrap().user_count(), 2);
    assert_eq!(document.only("delta"), None);
}

#[test]
fn everything_that_is_wrong_is_told_with_its_line() {
    let yaml = "groups:\n  a:\n    users: [x, x, {email: y}, {name: z, email: none}, [1]]\n    rate_limit: -1\n    time_window: 1e3\n    budget_usd: 0\n    ends: soon\n    models: all\n  'b!': [c]\n  d: text\n";
    let told = problems(yaml);
    let lines: Vec<&str> = told
        .iter()
        .map(|problem| problem.split(':').next().unwrap())
        .collect();
    assert_eq!(
        lines,
        [
            "line 3", "line 3", "line 3", "line 3", "line 4", "line 5", "line 6", "line 7", "line 8",
            "line 9", "line 10"
        ],
        "{told:#?}"
    );
}

#[test]
fn a_file_without_groups_says_what_is_missing() {
    assert_eq!(problems(""), ["the file is empty: `groups` is missing"]);
    assert!(problems("title: x")[0].contains("`groups` is missing"));
    assert!(problems("groups:")[0].contains("empty"));
    assert!(problems("groups: {}")[0].contains("empty"));
    assert!(problems("groups: [a]")[0].contains("a mapping is wanted"));
    assert!(problems("- a")[0].contains("a mapping is wanted"));
    assert!(problems("groups: {a: [b")[0].starts_with("line "));
}

#[test]
fn unknown_keys_and_empty_groups_are_warnings() {
    let parsed = Document::from_yaml("groups:\n  a:\n    user: [x]\n  b:\n  c: [d]\nteams: 1\n").unwrap();
    let told: Vec<String> = parsed.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(
        told.iter()
            .any(|text| text.starts_with("line 3") && text.contains("is `users` meant?"))
    );
    assert!(told.iter().any(|text| text.contains("group `b` has no users")));
}

#[test]
fn money_is_no_float() {
    assert_eq!(micro_usd("0.1"), Some(100_000));
    assert_eq!(micro_usd("25"), Some(25_000_000));
    assert_eq!(micro_usd("1.0000001"), None);
    assert_eq!(micro_usd("-1"), None);
    assert_eq!(micro_usd("18446744073709551615"), None);
}
