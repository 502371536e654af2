//! Carrying a plan out.

use futures_util::StreamExt;
use sluice_groups::{Action, Plan, Step};

use super::Failed;
use super::access::Admin;
use super::progress::Progress;

/// Writes that are under way at once.
const AT_ONCE: usize = 8;

/// Makes every step that changes something: routes and consumer groups first, one after the other, then consumers, several
/// at once; consumer groups that go do so last, when nobody is in them any more. After a failure no further step begins; what was done is done, and the same command goes on from there.
pub(super) async fn carry_out(admin: &Admin, plan: &Plan) -> Result<(), Failed> {
    let (consumers, others): (Vec<&Step>, Vec<&Step>) =
        plan.changes().partition(|step| step.object.kind == "consumers");
    let goes = |step: &&Step| step.object.kind == "consumer_groups" && step.action == Action::Delete;
    let (last, first): (Vec<&Step>, Vec<&Step>) = others.into_iter().partition(goes);
    let mut progress = Progress::new("consumers", consumers.len());
    for step in first {
        make(admin, step).await?;
    }
    let mut making = futures_util::stream::iter(consumers.into_iter().map(|step| make(admin, step)))
        .buffer_unordered(AT_ONCE);
    while let Some(made) = making.next().await {
        made?;
        progress.step();
    }
    drop(making);
    for step in last {
        make(admin, step).await?;
    }
    Ok(())
}

async fn make(admin: &Admin, step: &Step) -> Result<(), Failed> {
    match step.action {
        Action::Create | Action::Update => admin.put(&step.object).await,
        Action::Delete => admin.delete(step.object.kind, &step.object.id).await.map(|_| ()),
        Action::Keep => Ok(()),
    }
}
