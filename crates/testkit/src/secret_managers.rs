//! Fake secret managers: they speak the real APIs, and let in whom the real ones let in.

mod aws;
mod gcp;
mod vault;

pub use self::aws::FakeAwsSecrets;
pub use self::gcp::FakeGcpSecrets;
pub use self::vault::FakeVault;
