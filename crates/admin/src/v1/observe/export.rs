//! Lines of CSV.

/// A line of cells, quoted where they must be, that no spreadsheet takes for a formula.
pub(super) fn line<T: AsRef<str>, const N: usize>(cells: [T; N]) -> String {
    let cells = cells.map(|cell| {
        let cell = cell.as_ref();
        let formula = cell.starts_with(['=', '+', '@', '\t', '\r'])
            || (cell.starts_with('-') && cell.parse::<f64>().is_err());
        let cell = if formula {
            format!("'{cell}")
        } else {
            cell.to_owned()
        };
        match cell.contains([',', '"', '\n', '\r']) {
            true => format!("\"{}\"", cell.replace('"', "\"\"")),
            false => cell,
        }
    });
    format!("{}\r\n", cells.join(","))
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn cells_are_texts() {
        assert_eq!(
            line(["a", "b,c", "d\"e", "=1+1", "-5", "-x"]),
            "a,\"b,c\",\"d\"\"e\",'=1+1,-5,'-x\r\n"
        );
    }
}
