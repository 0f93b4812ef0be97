//! Text for a terminal: lines, colours, columns. All words go through [`clean`] on their way in, so that nothing a
//! daemon says can steer the terminal. Must not know what the words mean.

/// Width to which long lines are wrapped.
pub const WIDTH: usize = 100;

/// Whether there may be colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Words only.
    Plain,
    /// Words in colours.
    Colored,
}

/// What a colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing.
    Plain,
    /// As it should be.
    Good,
    /// To be looked at.
    Odd,
    /// Wrong.
    Bad,
    /// Less important than the rest.
    Faint,
}

impl Tone {
    /// The SGR parameter of ECMA-48 §8.3.117.
    const fn sgr(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Good => Some("32"),
            Self::Odd => Some("33"),
            Self::Bad => Some("1;31"),
            Self::Faint => Some("2"),
        }
    }
}

/// A cell of a row.
pub type Cell = (Tone, String);

/// A cell without a tone.
pub fn plain(words: impl Into<String>) -> Cell {
    (Tone::Plain, words.into())
}

/// Text as it grows.
#[derive(Debug)]
pub struct Text {
    out: String,
    /// Blanks that are only written if something follows on the line.
    blanks: usize,
    style: Style,
}

impl Text {
    /// None yet.
    #[must_use]
    pub const fn new(style: Style) -> Self {
        Self { out: String::new(), blanks: 0, style }
    }

    /// Adds words to the line.
    pub fn put(&mut self, tone: Tone, words: &str) -> &mut Self {
        if words.is_empty() {
            return self;
        }
        self.out.extend(std::iter::repeat_n(' ', std::mem::take(&mut self.blanks)));
        match tone.sgr().filter(|_| self.style == Style::Colored) {
            Some(sgr) => self.out.extend(["\x1b[", sgr, "m", &clean(words), "\x1b[0m"]),
            None => self.out.push_str(&clean(words)),
        }
        self
    }

    /// Adds words without a tone to the line.
    pub fn say(&mut self, words: &str) -> &mut Self {
        self.put(Tone::Plain, words)
    }

    /// Leaves room on the line.
    pub fn skip(&mut self, blanks: usize) -> &mut Self {
        self.blanks += blanks;
        self
    }

    /// Ends the line.
    pub fn end(&mut self) {
        self.blanks = 0;
        self.out.push('\n');
    }

    /// Adds a line of cells under each other; the last one is as wide as it likes.
    pub fn row(&mut self, cells: &[Cell], widths: &[usize]) {
        for (number, (tone, words)) in cells.iter().enumerate() {
            self.put(*tone, words);
            if number + 1 < cells.len() {
                let width = widths.get(number).copied().unwrap_or(0);
                self.skip(width.saturating_sub(columns(words)) + GAP);
            }
        }
        self.end();
    }

    /// Adds lines of cells, all columns as wide as their widest cell.
    pub fn table(&mut self, rows: &[Vec<Cell>], indent: usize) {
        let widths = widths(rows);
        for row in rows {
            self.skip(indent).row(row, &widths);
        }
    }

    /// Adds a label and words in as many lines as [`WIDTH`] needs, with the label `indent` blanks from the left and
    /// the words `width` further on. What stands in backquotes is a command: it is never broken, to be copied whole.
    pub fn entry(&mut self, label: Cell, words: Cell, indent: usize, width: usize) {
        let ((label_tone, label), (tone, words)) = (label, words);
        self.skip(indent).put(label_tone, &label).skip(width.saturating_sub(columns(&label)));
        for (number, line) in wrap(&words, WIDTH.saturating_sub(indent + width)).iter().enumerate() {
            if number > 0 {
                self.skip(indent + width);
            }
            self.put(tone, line).end();
        }
    }

    /// All of it.
    #[must_use]
    pub fn finish(self) -> String {
        self.out
    }
}

/// Between two columns.
const GAP: usize = 2;

/// The widths of the columns of a table.
#[must_use]
pub fn widths(rows: &[Vec<Cell>]) -> Vec<usize> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|(_, words)| columns(words)).max().unwrap_or(0)
    };
    (0..count).map(width).collect()
}

fn columns(words: &str) -> usize {
    words.chars().count()
}

/// The words with everything replaced that a terminal might obey, or that makes text read in another order.
#[must_use]
pub fn clean(words: &str) -> String {
    words.chars().map(|c| if is_steering(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Control characters, and the format characters of Unicode's bidirectional algorithm and of its line breaks.
#[must_use]
pub fn is_steering(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Lines of at most `width` columns, if no word is longer; one line at least.
fn wrap(words: &str, width: usize) -> Vec<String> {
    let mut quoted = false;
    let words = words.split(|c| {
        quoted ^= c == '`';
        c == ' ' && !quoted
    });
    let mut lines = vec![String::new()];
    for word in words.filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if columns(line) + 1 + columns(word) <= width => line.extend([" ", word]),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn colours_are_there_only_when_wanted() {
        let text = |style| {
            let mut text = Text::new(style);
            text.say("it is ").put(Tone::Bad, "down").end();
            text.finish()
        };
        assert_eq!(text(Style::Plain), "it is down\n");
        assert_eq!(text(Style::Colored), "it is \x1b[1;31mdown\x1b[0m\n");
    }

    #[test]
    fn columns_are_aligned_and_no_line_ends_in_blanks() {
        let mut text = Text::new(Style::Plain);
        let row = |cells: &[&str]| cells.iter().map(|words| plain(*words)).collect::<Vec<_>>();
        text.table(&[row(&["a", "b", "c"]), row(&["longer", "ж", ""]), row(&["", "", "c"])], 2);
        assert_eq!(text.finish(), "  a       b  c\n  longer  ж\n             c\n");
    }

    #[test]
    fn commands_are_not_broken() {
        let command = format!("`{}x`", "x ".repeat(60));
        assert_eq!(
            wrap(&format!("run {command}, then look"), 20),
            ["run", &format!("{command}, then look")[..command.len() + 1], "then look"]
        );
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
    }

    #[test]
    fn entries_are_wrapped_under_their_words() {
        let mut text = Text::new(Style::Plain);
        text.entry(plain("hint"), plain("word ".repeat(25)), 2, 6);
        let line = |count: usize| vec!["word"; count].join(" ");
        assert_eq!(text.finish(), format!("  hint  {}\n        {}\n", line(18), line(7)));
    }

    #[test]
    fn what_steers_a_terminal_is_replaced() {
        assert_eq!(clean("a\x1b[2Jb\r\n\u{9b}c\u{202e}d"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}\u{fffd}c\u{fffd}d");
        assert_eq!(clean("ж → é"), "ж → é");
    }

    proptest! {
        #[test]
        fn no_words_bring_control_characters_in(words in any::<String>(), label in any::<String>(), indent in 0..120usize) {
            let mut text = Text::new(Style::Plain);
            text.entry(plain(label.as_str()), plain(words.as_str()), indent, 8);
            text.table(&[vec![plain(words), plain(label)]], indent);
            prop_assert!(text.finish().chars().all(|c| c == '\n' || !is_steering(c)));
        }

        #[test]
        fn wrapping_loses_nothing_but_blanks(words in "[a-z` ]{0,300}", width in 0..50usize) {
            let bare = |text: &str| text.replace(' ', "");
            prop_assert_eq!(bare(&wrap(&words, width).concat()), bare(&words));
        }
    }
}
