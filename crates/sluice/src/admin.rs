//! Sockets of the control side.
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use anyhow::Context;
use sluice_core::{Registry, SnapshotCell};
use sluice_store::{Database, Store};
use crate::config::Config;
use crate::measuring::Measuring;

pub(crate) struct Sockets { admin: TcpListener, control: Option<TcpListener> }
pub(crate) fn bind(config: &Config) -> anyhow::Result<Sockets> {
    let listen = |addr: SocketAddr| TcpListener::bind(addr).with_context(|| format!("cannot listen on {addr}"));
    Ok(Sockets { admin: listen(config.admin.listen)?, control: config.control.enabled.then(|| listen(config.control.listen)).transpose()? })
}
impl Sockets {
    pub(crate) fn admin_addr(&self) -> anyhow::Result<(SocketAddr, &'static str)> { Ok((self.admin.local_addr()?, "http")) }
    pub(crate) fn control_addr(&self) -> anyhow::Result<Option<SocketAddr>> { Ok(self.control.as_ref().map(|c| c.local_addr()).transpose()?) }
    pub(crate) fn metrics_addr(&self) -> anyhow::Result<Option<SocketAddr>> { Ok(None) }
}
pub(crate) struct AdminSide;
impl AdminSide {
    pub(crate) fn start(_s: Sockets, _c: &Config, _r: &Arc<Registry>, _d: &Database, _st: &Store, _sn: &Arc<SnapshotCell>, _m: &Measuring) -> anyhow::Result<Self> { Ok(Self) }
    pub(crate) fn not_ready(&self) {}
    pub(crate) async fn stop(self) {}
}
