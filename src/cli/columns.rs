//! Tables of texts: every column as wide as its widest cell, or narrower on a terminal that is.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How narrow a column may become.
const LEAST: usize = 8;

/// How far apart the stops of a tab are.
const STOP: usize = 8;

/// What stands between two columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// A tab, as Helm writes it.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "Helm's tables are of records"))]
    Tab,
    /// So many spaces.
    Spaces(usize),
}

/// Where a cell that is too long loses its middle part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// At its end.
    End,
    /// In its middle, where the end tells more: a path.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "paths of models are the cluster's"))]
    Middle,
}

/// How wide the columns of these rows are, and no less than `before`; in a line of `columns`, those that may be cut are
/// made narrower, the widest first, as far as is needed.
pub(super) fn widths(
    rows: &[Vec<String>],
    before: &[usize],
    gap: Gap,
    cut: &[(usize, Cut)],
    columns: Option<usize>,
) -> Vec<usize> {
    let mut widths = before.to_vec();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let Some(columns) = columns else { return widths };
    while line(&widths, gap) > columns {
        let widest = cut.iter().map(|(column, _)| *column).filter(|column| widths.get(*column) > Some(&LEAST));
        let Some(widest) = widest.max_by_key(|column| (widths.get(*column).copied(), *column)) else { break };
        if let Some(width) = widths.get_mut(widest) {
            *width -= 1;
        }
    }
    widths
}

/// How long a line of such columns is.
pub(super) fn line(widths: &[usize], gap: Gap) -> usize {
    let last = widths.len().saturating_sub(1);
    widths.iter().enumerate().fold(0, |at, (column, width)| match gap {
        _ if column == last => at + width,
        Gap::Tab => (at + width) / STOP * STOP + STOP,
        Gap::Spaces(spaces) => at + width + spaces,
    })
}

/// The rows below each other, with columns of these widths.
pub(super) fn table(rows: &[Vec<String>], widths: &[usize], gap: Gap, cut: &[(usize, Cut)]) -> String {
    let gap = match gap {
        Gap::Tab => "\t".to_owned(),
        Gap::Spaces(spaces) => " ".repeat(spaces),
    };
    let mut out = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .enumerate()
            .map(|(column, (cell, width))| {
                let how = cut.iter().find(|(other, _)| *other == column).map(|(_, how)| *how);
                let cell = how.map_or_else(|| cell.clone(), |how| shortened(cell, *width, how));
                let missing = width.saturating_sub(cell.width());
                cell + &" ".repeat(missing)
            })
            .collect();
        out.push_str(cells.join(&gap).trim_end());
        out.push('\n');
    }
    out
}

/// A text of at most this width.
pub(super) fn shortened(text: &str, width: usize, cut: Cut) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let left = width.saturating_sub(1);
    let (front, back) = match cut {
        Cut::End => (left, 0),
        Cut::Middle => (left / 2, left - left / 2),
    };
    let tail: Vec<char> = taken(text.chars().rev(), back);
    taken(text.chars(), front).into_iter().chain(['…']).chain(tail.into_iter().rev()).collect()
}

/// The first characters, as many as have room.
fn taken(text: impl Iterator<Item = char>, width: usize) -> Vec<char> {
    let mut used = 0;
    text.take_while(|character| {
        used += character.width().unwrap_or(0);
        used <= width
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    fn shown(rows: &[Vec<String>], gap: Gap, cut: &[(usize, Cut)], columns: Option<usize>) -> String {
        table(rows, &widths(rows, &[], gap, cut, columns), gap, cut)
    }

    #[test]
    fn a_table_that_fits_is_whole() {
        let rows = rows(&[&["NAME", "PURPOSE"], &["wisdom", "a purpose of some length"]]);
        let whole = "NAME    PURPOSE\nwisdom  a purpose of some length\n";
        for columns in [None, Some(32), Some(200)] {
            assert_eq!(shown(&rows, Gap::Spaces(2), &[(1, Cut::End)], columns), whole);
        }
    }

    #[test]
    fn only_columns_that_may_be_cut_are() {
        let rows = rows(&[&["a-name-that-is-long", "a purpose of some length", "s3://models/one"]]);
        let cut = [(1, Cut::End), (2, Cut::Middle)];
        let expected = [
            (60, "a-name-that-is-long  a purpose of some len…  s3://models/one\n"),
            (50, "a-name-that-is-long  a purpose of …  s3://m…ls/one\n"),
            (40, "a-name-that-is-long  a purpos…  s3:…/one\n"),
            (10, "a-name-that-is-long  a purpo…  s3:…/one\n"),
        ];
        for (columns, line) in expected {
            assert_eq!(shown(&rows, Gap::Spaces(2), &cut, Some(columns)), line, "{columns}");
        }
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let rows = rows(&[&["模型", "x"], &["a", "模型模型模型"]]);
        assert_eq!(shown(&rows, Gap::Spaces(1), &[(1, Cut::End)], None), "模型 x\na    模型模型模型\n");
        assert_eq!(shown(&rows, Gap::Spaces(1), &[(1, Cut::End)], Some(14)), "模型 x\na    模型模型…\n");
        assert_eq!(shortened("模型模型", 6, Cut::Middle), "模…型");
    }

    #[test]
    fn a_tab_goes_to_the_next_stop() {
        assert_eq!(line(&[3, 4], Gap::Tab), 12);
        assert_eq!(line(&[8, 4], Gap::Tab), 20);
        let rows = rows(&[&["wisdom", "a description"]]);
        assert_eq!(shown(&rows, Gap::Tab, &[], None), "wisdom\ta description\n");
    }
}
