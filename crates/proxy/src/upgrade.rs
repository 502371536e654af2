//! Upgraded connections: both sides leave HTTP and bytes are copied.

use http::Response;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sluice_core::Context;
use sluice_net::Body;

/// Joins the client's connection with the upstream's once both have switched.
pub(crate) fn splice(cx: &mut Context, response: &mut Response<Body>) {
    let upstream = response.extensions_mut().remove::<OnUpgrade>();
    let (Some(client), Some(upstream)) = (cx.request.upgrade.take(), upstream) else {
        return;
    };
    let id = cx.id;
    tokio::spawn(async move {
        let joined = async {
            let (client, upstream) = tokio::try_join!(client, upstream)?;
            tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(upstream)).await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        };
        if let Err(error) = joined.await {
            tracing::debug!(id = format_args!("{:032x}", id.0), %error, "upgraded connection ended");
        }
    });
}
