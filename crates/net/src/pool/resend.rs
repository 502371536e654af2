//! Where a request comes from that has to be sent again.

use http::Request;

use crate::body::Body;

/// A second edition of a request.
pub(super) trait Resend {
    /// Called before a request goes out that might have to be sent again.
    fn prepare(&mut self, request: &Request<Body>);

    /// The request once more, if that is possible.
    fn again(&mut self) -> Option<Request<Body>>;
}

/// A copy, if the body allows one.
#[derive(Default)]
pub(super) struct Copied(Option<Request<Body>>);

impl Resend for Copied {
    fn prepare(&mut self, request: &Request<Body>) {
        self.0 = request.body().replay().map(|body| {
            let mut copy = Request::new(body);
            request.method().clone_into(copy.method_mut());
            request.uri().clone_into(copy.uri_mut());
            request.headers().clone_into(copy.headers_mut());
            request.extensions().clone_into(copy.extensions_mut());
            copy
        });
    }

    fn again(&mut self) -> Option<Request<Body>> {
        self.0.take()
    }
}

/// Made anew by the caller.
pub(super) struct Remade<F>(pub(super) F);

impl<F: FnMut() -> Request<Body>> Resend for Remade<F> {
    fn prepare(&mut self, _: &Request<Body>) {}

    fn again(&mut self) -> Option<Request<Body>> {
        Some((self.0)())
    }
}
