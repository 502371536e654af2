//! Lines of CSV.

use serde_json::Value;

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

/// A value of JSON as a cell.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
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
