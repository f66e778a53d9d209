//! What a command prints: JSON for programs, or text for people.

use serde::Serialize;

/// The output of a command in both forms.
pub(super) struct Output {
    pub(super) json: String,
    pub(super) text: String,
}

impl Output {
    pub(super) fn of(value: &impl Serialize, text: String) -> Self {
        Self {
            json: serde_json::to_string_pretty(value).unwrap_or_default(),
            text,
        }
    }
}

/// A table whose columns are as wide as their longest text.
pub(super) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(head: [&str; N]) -> Self {
        Self {
            rows: vec![head.map(str::to_owned)],
        }
    }

    pub(super) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// The lines of the table, without trailing spaces. Control characters are escaped: no cell can move the cursor of
    /// a terminal.
    pub(super) fn text(&self) -> String {
        let rows: Vec<[String; N]> = self
            .rows
            .iter()
            .map(|row| row.clone().map(printable))
            .collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
        let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
        let line = |row: &[String; N]| {
            let cells = row.iter().zip(widths);
            let cells: Vec<_> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            cells.join("  ").trim_end().to_owned()
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

fn printable(cell: String) -> String {
    let mut text = String::with_capacity(cell.len());
    for letter in cell.chars() {
        if letter.is_control() {
            text.extend(letter.escape_default());
        } else {
            text.push(letter);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_control_characters_are_escaped() {
        let mut table = Table::new(["A", "LONG HEAD", "C"]);
        table.row(["ä".to_owned(), "b".to_owned(), "\u{1b}[1m".to_owned()]);
        table.row(["longer".to_owned(), "b".to_owned(), String::new()]);
        assert_eq!(
            table.text(),
            "A       LONG HEAD  C\nä       b          \\u{1b}[1m\nlonger  b"
        );
    }
}
