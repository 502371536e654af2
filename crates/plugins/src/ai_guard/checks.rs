//! Check digits, and other rules that tell a number from one that only looks like it.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The longest prefix of a candidate that ends where a group ends and is real. A greedy pattern may have taken in groups
/// that follow.
fn longest(candidate: &str, is_real: impl Fn(&str) -> bool) -> Option<usize> {
    let bytes = candidate.as_bytes();
    let ends = (1..=bytes.len()).rev().filter(|&end| {
        bytes[end - 1].is_ascii_alphanumeric()
            && bytes.get(end).is_none_or(|next| !next.is_ascii_alphanumeric())
    });
    ends.into_iter()
        .find(|&end| candidate.get(..end).is_some_and(&is_real))
}

fn compact(text: &str) -> String {
    let signs = text.chars().filter(char::is_ascii_alphanumeric);
    signs.map(|sign| sign.to_ascii_uppercase()).collect()
}

fn digits(text: &str) -> Vec<u32> {
    text.chars().filter_map(|sign| sign.to_digit(10)).collect()
}

/// Lengths of IBANs by country (SWIFT's registry).
const IBAN_LENGTHS: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 \
                            DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 \
                            IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 \
                            ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 \
                            RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 \
                            XK20 YE30";

/// The country's length, and 97 as ISO 13616 has it.
pub(super) fn iban(candidate: &str) -> Option<usize> {
    let country = candidate.get(..2)?;
    let length = IBAN_LENGTHS
        .split(' ')
        .find_map(|entry| entry.strip_prefix(country))?;
    let length: usize = length.parse().ok()?;
    longest(candidate, |text| {
        let iban = compact(text);
        if iban.len() != length {
            return false;
        }
        let signs = iban.chars().skip(4).chain(iban.chars().take(4));
        let rest = signs.filter_map(|sign| sign.to_digit(36)).fold(0, |rest, value| {
            let shift = if value < 10 { 10 } else { 100 };
            (rest * shift + value) % 97
        });
        rest == 1
    })
}

/// Luhn's formula (ISO/IEC 7812), for as many digits as end a group and fulfil it.
pub(super) fn payment_card(candidate: &str) -> Option<usize> {
    let signs = candidate
        .bytes()
        .enumerate()
        .filter(|(_, sign)| sign.is_ascii_digit());
    let (ends, digits): (Vec<usize>, Vec<u32>) = signs
        .map(|(position, sign)| (position + 1, u32::from(sign - b'0')))
        .unzip();
    let first = digits.first()?;
    let ends_group = |count: usize| ends.get(count).is_none_or(|next| *next > ends[count - 1] + 1);
    let mut counts = (13..=digits.len().min(19)).rev();
    let count = counts.find(|&count| {
        let digits = &digits[..count];
        ends_group(count) && luhn(digits) && digits.iter().any(|digit| digit != first)
    })?;
    Some(ends[count - 1])
}

fn luhn(digits: &[u32]) -> bool {
    let values = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(position, &digit)| match (position % 2, digit) {
            (0, digit) => digit,
            (_, digit @ 5..) => digit * 2 - 9,
            (_, digit) => digit * 2,
        });
    values.sum::<u32>().is_multiple_of(10)
}

/// No area 000 or 666, no group 00, no serial 0000.
pub(super) fn us_ssn(candidate: &str) -> Option<usize> {
    let number = compact(candidate);
    let real = number.len() == 9
        && !matches!(&number[..3], "000" | "666")
        && &number[3..5] != "00"
        && &number[5..] != "0000";
    real.then_some(candidate.len())
}

/// One digit twice or thrice among the first ten, and ISO 7064 mod 11,10.
pub(super) fn de_tax_id(candidate: &str) -> Option<usize> {
    let digits = digits(candidate);
    let (last, first) = digits.split_last()?;
    let mut counts = [0_u32; 10];
    let mut product = 10;
    for &digit in first {
        *counts.get_mut(digit as usize)? += 1;
        let sum = (digit + product) % 10;
        product = (if sum == 0 { 10 } else { sum }) * 2 % 11;
    }
    let repeated: Vec<_> = counts.into_iter().filter(|&count| count > 1).collect();
    let real = first.len() == 10 && matches!(repeated[..], [2 | 3]) && (11 - product) % 10 == *last;
    real.then_some(candidate.len())
}

/// Prefixes that are not given out.
pub(super) fn uk_nino(candidate: &str) -> Option<usize> {
    let prefix = candidate.get(..2)?.to_ascii_uppercase();
    let never = ["BG", "GB", "NK", "KN", "TN", "NT", "ZZ"].contains(&&*prefix);
    (!never).then_some(candidate.len())
}

/// The letter is the number modulo 23; X, Y and Z of an NIE stand for 0, 1 and 2.
pub(super) fn es_dni(candidate: &str) -> Option<usize> {
    let id = compact(candidate);
    let (number, letter) = id.split_at_checked(id.len().checked_sub(1)?)?;
    let number = match number.as_bytes().first()? {
        first @ b'X'..=b'Z' => format!("{}{}", first - b'X', number.get(1..)?),
        _ => number.to_owned(),
    };
    let rest = number.parse::<usize>().ok()? % 23;
    let expected = b"TRWAGMYFPDXBNJZSQVHLCKE".get(rest)?;
    (letter.as_bytes() == [*expected]).then_some(candidate.len())
}

/// The key is 97 less the number modulo 97; Corsica's departments 2A and 2B count as 19 and 18.
pub(super) fn fr_nir(candidate: &str) -> Option<usize> {
    let id = compact(candidate).replacen("2A", "19", 1).replacen("2B", "18", 1);
    let (number, key) = id.split_at_checked(13)?;
    let expected = 97 - number.parse::<u64>().ok()? % 97;
    (key.parse() == Ok(expected)).then_some(candidate.len())
}

/// What signs in odd places count (decree of 23 December 1976): digits count as the first ten letters.
const ODD: [u32; 26] = [
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
];

/// The last letter is the sum of the others modulo 26.
pub(super) fn it_codice_fiscale(candidate: &str) -> Option<usize> {
    let code = compact(candidate);
    let (signs, last) = code.split_at_checked(15)?;
    let mut sum = 0;
    for (position, sign) in signs.bytes().enumerate() {
        let value = match sign {
            b'0'..=b'9' => sign - b'0',
            _ => sign.checked_sub(b'A')?,
        };
        sum += if position.is_multiple_of(2) {
            *ODD.get(usize::from(value))?
        } else {
            u32::from(value)
        };
    }
    let expected = u32::from(b'A') + sum % 26;
    (last.bytes().map(u32::from).eq([expected])).then_some(candidate.len())
}

/// Version 4, or version 6 with two groups and a digit: `std::vec` is none.
pub(super) fn ip_address(candidate: &str) -> Option<usize> {
    if !candidate.contains(':') {
        return candidate.parse::<Ipv4Addr>().is_ok().then_some(candidate.len());
    }
    longest(candidate, |text| {
        let groups = text.split(':').filter(|group| !group.is_empty()).count();
        groups >= 2 && text.bytes().any(|byte| byte.is_ascii_digit()) && text.parse::<Ipv6Addr>().is_ok()
    })
}

/// As many digits as numbers have, and no date.
pub(super) fn phone(candidate: &str) -> Option<usize> {
    let is_national = candidate.starts_with('0') && !candidate.starts_with("00");
    longest(candidate, |text| {
        let count = digits(text).len();
        let range = if is_national { 9..=12 } else { 8..=17 };
        range.contains(&count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(check: fn(&str) -> Option<usize>, real: &[&str], others: &[&str]) {
        for text in real {
            assert_eq!(check(text), Some(text.len()), "{text}");
        }
        for text in others {
            assert_eq!(check(text), None, "{text}");
        }
    }

    #[test]
    fn bank_accounts_and_cards() {
        all(
            iban,
            &[
                "DE89370400440532013000",
                "GB82 WEST 1234 5698 7654 32",
                "NO93 8601 1117 947",
            ],
            &[
                "DE89370400440532013001",
                "DE8937040044053201300",
                "ZZ89370400440532013000",
            ],
        );
        assert_eq!(
            iban("NO93 8601 1117 947 UND"),
            Some(18),
            "what follows is not part of it"
        );
        all(
            payment_card,
            &["4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005"],
            &["4111 1111 1111 1112", "4444 4444 4444", "0000000000000000"],
        );
        assert_eq!(payment_card("4111 1111 1111 1111 22"), Some(19));
    }

    #[test]
    fn national_ids() {
        all(
            us_ssn,
            &["123-45-6789"],
            &["000-45-6789", "666-45-6789", "123-00-6789", "123-45-0000"],
        );
        all(
            de_tax_id,
            &["86095742719", "47 036 892 816"],
            &["86095742718", "12345678901"],
        );
        all(
            uk_nino,
            &["AB123456C", "ab 12 34 56 c"],
            &["GB123456C", "ZZ123456A"],
        );
        all(
            es_dni,
            &["12345678Z", "X1234567L", "12345678-z"],
            &["12345678A", "Y1234567L"],
        );
        all(
            fr_nir,
            &[
                "255081416802538",
                "1 85 05 78 006 084 91",
                "2 84 10 2A 004 015 49",
            ],
            &["255081416802539"],
        );
        all(it_codice_fiscale, &["RSSMRA85T10A562S"], &["RSSMRA85T10A562T"]);
    }

    #[test]
    fn addresses_and_numbers() {
        all(
            ip_address,
            &["10.0.0.1", "fe80::1", "2001:db8:85a3::8a2e:370:7334"],
            &["256.1.1.1", "12:30:45", "a::b", "::"],
        );
        all(
            phone,
            &[
                "+49 30 901820",
                "(212) 555-0123",
                "030 901820",
                "0044 20 7946 0018",
            ],
            &["+12 34", "01-01-2024"],
        );
    }
}
