//! Credentials of the big clouds: what turns keys of an operator into something that one request carries.
//!
//! * [`AwsSigner`] signs requests to AWS (Signature Version 4). It does no I/O.
//! * [`GcpTokens`] holds an access token of a Google service account and gets the next one in time.
//!
//! In the order of crates this one stands above `net` and below `core`. It knows no provider, no plugin and no route:
//! who signs what, and what a failure means to a client, is decided above. No error of it contains a secret.
//!
//! ```
//! use std::time::SystemTime;
//!
//! use http::{HeaderMap, HeaderValue, Method, header};
//! use sluice_cloud::{AwsCredentials, AwsRequest, AwsSigner};
//!
//! # fn main() -> Result<(), sluice_cloud::AwsSignError> {
//! let signer = AwsSigner::new(AwsCredentials::new("AKIDEXAMPLE", "secret"), "eu-central-1", "bedrock");
//! let mut headers = HeaderMap::new();
//! headers.insert(header::HOST, HeaderValue::from_static("bedrock-runtime.eu-central-1.amazonaws.com"));
//! let request = AwsRequest {
//!     method: &Method::POST,
//!     path: "/model/meta.llama3-8b-instruct-v1%3A0/converse",
//!     query: "",
//!     body: b"{}",
//! };
//! signer.sign(&request, &mut headers, SystemTime::now())?;
//! assert!(headers.contains_key(header::AUTHORIZATION));
//! # Ok(())
//! # }
//! ```

mod gcp;
mod sigv4;

pub use self::gcp::{GcpError, GcpTokenConfig, GcpTokens, ServiceAccount};
pub use self::sigv4::{AwsCredentials, AwsRequest, AwsSignError, AwsSigner};
