//! What a variable holds, and how it prints.

use std::io::Write;
use std::net::IpAddr;

use sluice_record::{Attempt, Record, RequestId};
use time::OffsetDateTime;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::Escape;

/// Value of a variable, borrowed from the record. Prints as nginx and APISIX print it, and as JSON.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Value<'r> {
    /// Not known of this request.
    Absent,
    /// Text.
    Text(&'r str),
    /// A count, a size, a status, or whole milliseconds.
    Count(u64),
    /// An amount that may be negative.
    Amount(i64),
    /// `true` or `false`.
    Flag(bool),
    /// Microseconds; prints as seconds with three decimals.
    Seconds(u64),
    /// A point in time in microseconds since the epoch; prints like `2025-11-20T15:47:00+00:00`, always UTC.
    Iso8601(i64),
    /// A point in time in microseconds since the epoch; prints like `20/Nov/2025:15:47:00 +0000`, always UTC.
    CommonLog(i64),
    /// An address.
    Ip(IpAddr),
    /// A request's id; prints as UUID.
    Id(RequestId),
    /// The request line of this request.
    RequestLine(&'r Record),
    /// Addresses of the upstream attempts, separated by `, `.
    AttemptAddrs(&'r [Attempt]),
    /// Statuses of the upstream attempts, separated by `, `.
    AttemptStatuses(&'r [Attempt]),
    /// Durations of the upstream attempts in seconds, separated by `, `.
    AttemptTimes(&'r [Attempt]),
}

impl Value<'_> {
    /// Whether there is nothing to print.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Absent | Self::Text(""))
    }

    /// Appends the value as a template shows it.
    pub fn write_text(&self, escape: Escape, out: &mut Vec<u8>) {
        match *self {
            Self::Absent | Self::Text("") => out.extend_from_slice(escape.absent().as_bytes()),
            Self::Text(text) => escape.write(text, out),
            Self::Count(count) => write_int(count, out),
            Self::Amount(amount) => write_int(amount, out),
            Self::Flag(flag) => out.extend_from_slice(if flag { b"true" } else { b"false" }),
            Self::Seconds(micros) => write_seconds(micros, out),
            Self::Iso8601(micros) => write_iso8601(micros, out),
            Self::CommonLog(micros) => write_common_log(micros, out),
            Self::Ip(ip) => write_ip(ip, out),
            Self::Id(id) => write_id(id, out),
            Self::RequestLine(record) => {
                escape.write(record.method.as_str(), out);
                out.push(b' ');
                escape.write(&record.request_uri, out);
                out.push(b' ');
                escape.write(record.http_version, out);
            }
            Self::AttemptAddrs(attempts) => write_list(attempts, out, |a, out| escape.write(&a.addr, out)),
            Self::AttemptStatuses(attempts) => write_list(attempts, out, |a, out| write_int(a.status, out)),
            Self::AttemptTimes(attempts) => write_list(attempts, out, |a, out| write_seconds(a.time_us, out)),
        }
    }

    /// Appends the value as JSON: numbers and flags bare, absent as `null`, everything else as a string.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Absent => out.extend_from_slice(b"null"),
            Self::Count(_) | Self::Amount(_) | Self::Flag(_) | Self::Seconds(_) => {
                self.write_text(Escape::Json, out);
            }
            _ => {
                out.push(b'"');
                self.write_text(Escape::Json, out);
                out.push(b'"');
            }
        }
    }
}

fn write_int(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Cut to milliseconds, as nginx counts.
fn write_seconds(micros: u64, out: &mut Vec<u8>) {
    write_int(micros / 1_000_000, out);
    out.push(b'.');
    write_padded(micros / 1_000 % 1_000, 3, out);
}

/// The last `width` digits, with leading zeros.
fn write_padded(value: u64, width: u32, out: &mut Vec<u8>) {
    for place in (0..width).rev() {
        out.push(b'0' + (value / 10_u64.pow(place) % 10) as u8);
    }
}

fn utc(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(micros.div_euclid(1_000_000)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn write_clock(at: OffsetDateTime, out: &mut Vec<u8>) {
    write_padded(at.hour().into(), 2, out);
    out.push(b':');
    write_padded(at.minute().into(), 2, out);
    out.push(b':');
    write_padded(at.second().into(), 2, out);
}

fn write_iso8601(micros: i64, out: &mut Vec<u8>) {
    let at = utc(micros);
    write_padded(at.year().unsigned_abs().into(), 4, out);
    out.push(b'-');
    write_padded(u8::from(at.month()).into(), 2, out);
    out.push(b'-');
    write_padded(at.day().into(), 2, out);
    out.push(b'T');
    write_clock(at, out);
    out.extend_from_slice(b"+00:00");
}

fn write_common_log(micros: i64, out: &mut Vec<u8>) {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let at = utc(micros);
    let month = 3 * (usize::from(u8::from(at.month())) - 1);
    write_padded(at.day().into(), 2, out);
    out.push(b'/');
    out.extend_from_slice(&MONTHS[month..month + 3]);
    out.push(b'/');
    write_padded(at.year().unsigned_abs().into(), 4, out);
    out.push(b':');
    write_clock(at, out);
    out.extend_from_slice(b" +0000");
}

fn write_id(id: RequestId, out: &mut Vec<u8>) {
    let mut text = [0; Hyphenated::LENGTH];
    out.extend_from_slice(
        Uuid::from_u128(id.0)
            .hyphenated()
            .encode_lower(&mut text)
            .as_bytes(),
    );
}

/// By hand for the usual case: formatting machinery costs as much as ten other members of a line.
fn write_ip(ip: IpAddr, out: &mut Vec<u8>) {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            write_int(a, out);
            for octet in [b, c, d] {
                out.push(b'.');
                write_int(octet, out);
            }
        }
        // A Vec takes everything.
        IpAddr::V6(ip) => drop(write!(out, "{ip}")),
    }
}

fn write_list(attempts: &[Attempt], out: &mut Vec<u8>, one: impl Fn(&Attempt, &mut Vec<u8>)) {
    for (nth, attempt) in attempts.iter().enumerate() {
        if nth > 0 {
            out.extend_from_slice(b", ");
        }
        one(attempt, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{STARTED_US, ai_record};

    fn text(value: Value<'_>) -> String {
        let mut out = Vec::new();
        value.write_text(Escape::Default, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn json(value: Value<'_>) -> String {
        let mut out = Vec::new();
        value.write_json(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times() {
        assert_eq!(text(Value::Seconds(1_234_999)), "1.234");
        assert_eq!(text(Value::Seconds(60_000)), "0.060");
        assert_eq!(
            text(Value::Iso8601(STARTED_US + 999_999)),
            "2025-11-20T15:47:00+00:00"
        );
        assert_eq!(text(Value::CommonLog(STARTED_US)), "20/Nov/2025:15:47:00 +0000");
        assert_eq!(text(Value::Iso8601(-1)), "1969-12-31T23:59:59+00:00");
    }

    #[test]
    fn addresses() {
        assert_eq!(text(Value::Ip([10, 0, 200, 7].into())), "10.0.200.7");
        assert_eq!(
            text(Value::Ip([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into())),
            "2001:db8::1"
        );
    }

    #[test]
    fn lists_are_written_as_nginx_writes_them() {
        let record = ai_record();
        assert_eq!(
            text(Value::AttemptAddrs(&record.attempts)),
            "10.1.0.1:443, 10.1.0.2:443"
        );
        assert_eq!(text(Value::AttemptStatuses(&record.attempts)), "502, 200");
        assert_eq!(text(Value::AttemptTimes(&record.attempts)), "0.010, 0.230");
    }

    #[test]
    fn json_types() {
        let record = ai_record();
        assert_eq!(json(Value::Absent), "null");
        assert_eq!(json(Value::Count(7)), "7");
        assert_eq!(json(Value::Flag(true)), "true");
        assert_eq!(json(Value::Seconds(1_500_000)), "1.500");
        assert_eq!(json(Value::Text("a\"b")), r#""a\"b""#);
        assert_eq!(
            json(Value::Id(record.id)),
            "\"01234567-89ab-cdef-0123-456789abcdef\""
        );
        assert_eq!(
            json(Value::RequestLine(&record)),
            "\"POST /v1/chat?x=1 HTTP/1.1\""
        );
    }

    #[test]
    fn nothing_prints_as_a_dash_in_the_default_escaping_only() {
        assert_eq!(text(Value::Absent), "-");
        let mut out = Vec::new();
        Value::Text("").write_text(Escape::Json, &mut out);
        assert!(out.is_empty());
    }
}
