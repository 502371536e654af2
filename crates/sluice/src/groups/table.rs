//! Results as a table, as JSON, as CSV.

use serde_json::{Value, json};
use sluice_groups::{INSTANCE, Plan, Settings, Step};

use super::args::Format;

/// What somebody gets.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) group: Option<String>,
    pub(super) user: Option<String>,
    pub(super) email: Option<String>,
    pub(super) users: u64,
    pub(super) key: String,
    pub(super) limit: u64,
    pub(super) window: u64,
    pub(super) chat: String,
    pub(super) embedding: Option<String>,
    pub(super) files: Vec<String>,
}

/// The rows of a plan's consumers, in its order.
pub(super) fn rows(plan: &Plan, settings: &Settings, base: &str) -> Vec<Row> {
    let consumers =
        |step: &&Step| step.object.kind == "consumers" && step.action != sluice_groups::Action::Delete;
    let wanted = plan.steps.iter().filter(consumers).zip(&plan.members);
    wanted
        .map(|(step, member)| {
            let (limit, window) = quota(&step.object.value);
            Row {
                name: member.consumer.clone(),
                group: member.group.clone(),
                user: member.user.clone(),
                email: member.email.clone(),
                users: member.user_count,
                key: sluice_groups::key(&step.object.value)
                    .unwrap_or_default()
                    .to_owned(),
                limit,
                window,
                chat: format!("{base}/v1/chat/completions"),
                embedding: settings
                    .embedding_model
                    .is_some()
                    .then(|| format!("{base}/v1/embeddings")),
                files: Vec::new(),
            }
        })
        .collect()
}

/// Limit and window of a consumer.
pub(super) fn quota(consumer: &Value) -> (u64, u64) {
    let instances = consumer["plugins"]["ai-rate-limiting"]["instances"].as_array();
    let ours = instances
        .into_iter()
        .flatten()
        .find(|instance| instance["name"] == INSTANCE);
    let number = |member: &str| {
        ours.and_then(|instance| instance[member].as_u64())
            .unwrap_or_default()
    };
    (number("limit"), number("time_window"))
}

/// The rows as wanted.
pub(super) fn shown(rows: &[Row], format: Format) -> anyhow::Result<String> {
    Ok(match format {
        Format::Text => text(rows),
        Format::Json => format!("{:#}", Value::Array(rows.iter().map(as_json).collect())),
        Format::Csv => as_csv(rows)?,
    })
}

fn as_json(row: &Row) -> Value {
    json!({
        "username": row.name,
        "api_key": row.key,
        "rate_limit": row.limit,
        "time_window": row.window,
        "group_name": row.group,
        "user": row.user,
        "email": row.email,
        "user_count": row.users,
        "chat_endpoint": row.chat,
        "embedding_endpoint": row.embedding,
        "files": row.files,
    })
}

fn text(rows: &[Row]) -> String {
    let mut cells = vec![["CONSUMER", "KEY", "LIMIT", "CHAT", "EMBEDDINGS", "FILE"].map(str::to_owned)];
    cells.extend(rows.iter().map(|row| {
        [
            row.name.clone(),
            row.key.clone(),
            format!("{} tokens / {}s", row.limit, row.window),
            row.chat.clone(),
            row.embedding.clone().unwrap_or_else(|| "-".to_owned()),
            if row.files.is_empty() {
                "-".to_owned()
            } else {
                row.files.join(", ")
            },
        ]
    }));
    let widths: Vec<usize> = (0..6)
        .map(|column| {
            cells
                .iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or_default()
        })
        .collect();
    let lines = cells.iter().map(|row| {
        let padded = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn as_csv(rows: &[Row]) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "consumer",
        "group",
        "user",
        "email",
        "key",
        "limit",
        "window",
        "chat_endpoint",
        "embedding_endpoint",
        "files",
    ])?;
    for row in rows {
        let text = |text: &Option<String>| safe(text.as_deref().unwrap_or_default());
        writer.write_record([
            safe(&row.name),
            text(&row.group),
            text(&row.user),
            text(&row.email),
            row.key.clone(),
            row.limit.to_string(),
            row.window.to_string(),
            row.chat.clone(),
            text(&row.embedding),
            safe(&row.files.join(" ")),
        ])?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?.trim_end().to_owned())
}

/// A cell that no spreadsheet takes for a formula.
fn safe(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}
