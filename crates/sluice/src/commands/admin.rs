//! `sluice admin`: access for whoever owns the data folder.

use anyhow::bail;
use serde_json::{Value, json};
use sluice_store::{Database, NewAuditEntry, Role};

use crate::cli::{AdminArgs, AdminCommand};
use crate::console::say;
use crate::{first_run, gateway, random};

/// Changes users and keys; a running gateway follows at once.
pub(crate) fn admin(args: AdminArgs) -> anyhow::Result<()> {
    let data_dir = match args.data_dir {
        Some(folder) => folder,
        None => args.files.read()?.0.data_dir,
    };
    if !data_dir.join("sluice.db").exists() {
        bail!(
            "{} holds no gateway's data (--data-dir names the folder)",
            data_dir.display()
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let database = gateway::open_database(&data_dir).await?;
        let done = change(&database, args.command).await;
        database.close().await;
        done
    })
}

async fn change(database: &Database, command: AdminCommand) -> anyhow::Result<()> {
    match command {
        AdminCommand::ResetPassword { user } => {
            let password = random::secret(20);
            if !database
                .admin_users()
                .set_password(&user, &first_run::hash(&password)?)
                .await?
            {
                let names: Vec<_> = database
                    .admin_users()
                    .list()
                    .await?
                    .into_iter()
                    .map(|user| user.name)
                    .collect();
                bail!("there is no admin user `{user}`; there is {}", names.join(", "));
            }
            let changed = json!([{ "path": "/password", "to": "***" }]);
            note(
                database,
                "reset-password",
                format!("/admin_users/{user}"),
                changed,
            )
            .await?;
            say(format_args!("new password of {user}: {password}"));
        }
        AdminCommand::NewKey { name, role } => {
            let key = random::secret(32);
            let role = Role::from_name(&role).unwrap_or(Role::Viewer);
            first_run::store_key(database, &name, &key, role).await?;
            let made = json!([{ "path": "", "to": { "name": name, "role": role.as_str() } }]);
            note(database, "new-key", "/admin_keys".to_owned(), made).await?;
            say(format_args!("new {} key: {key}", role.as_str()));
        }
    }
    Ok(())
}

/// Writes a change to the audit log.
async fn note(database: &Database, action: &str, key: String, changes: Value) -> anyhow::Result<()> {
    let entry = NewAuditEntry {
        caller: "command line".to_owned(),
        peer: None,
        action: action.to_owned(),
        key,
        revision: None,
        changes,
    };
    Ok(database.audit_log().append(&[entry]).await?)
}
