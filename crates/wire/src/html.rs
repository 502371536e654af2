//! The HTML pages that APISIX sends for statuses without a body (compat §0).

/// The page of a status, to be sent as `text/html; charset=utf-8`. `None` below 300, and for statuses that nginx has
/// no name for: their answers have no body.
///
/// ```
/// let page = sluice_wire::html_page(404).unwrap();
/// assert!(page.contains("<h1>404 Not Found</h1>"));
/// assert_eq!(sluice_wire::html_page(430), None);
/// ```
#[must_use]
pub fn html_page(status: u16) -> Option<String> {
    let title = format!("{status} {}", nginx_reason(status)?);
    Some(format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>openresty</center>\r\n\
         <p><em>Powered by <a href=\"https://apisix.apache.org/\">APISIX</a>.</em></p></body>\r\n</html>\r\n"
    ))
}

fn nginx_reason(status: u16) -> Option<&'static str> {
    Some(match status {
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Authorization Required",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Time-out",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        415 => "Unsupported Media Type",
        416 => "Requested Range Not Satisfiable",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::html_page;

    #[test]
    fn a_page_is_what_nginx_sends() {
        let expected = [
            "<html>",
            "<head><title>429 Too Many Requests</title></head>",
            "<body>",
            "<center><h1>429 Too Many Requests</h1></center>",
            "<hr><center>openresty</center>",
            "<p><em>Powered by <a href=\"https://apisix.apache.org/\">APISIX</a>.</em></p></body>",
            "</html>",
            "",
        ];
        assert_eq!(html_page(429).unwrap(), expected.join("\r\n"));
    }

    #[test]
    fn statuses_without_a_name_have_no_page() {
        for status in [0, 200, 204, 299, 304, 430, 599, u16::MAX] {
            assert_eq!(html_page(status), None, "{status}");
        }
    }
}
