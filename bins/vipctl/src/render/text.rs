//! Text for a terminal: lines, colours, columns. All words go through [`clean`] on their way in, so that nothing a
//! daemon says can steer the terminal. Must not know what the words mean.

/// Widest that a line gets, unless a single word is wider.
pub const WIDTH: usize = 80;

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

/// How a line is written that begins with a place in a file, `file:line: `, as compilers write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Places {
    /// As one line, whatever its width, for programs that pick it out.
    Whole,
    /// In as many lines as [`WIDTH`] needs, for people.
    Folded,
}

impl Places {
    /// For the reader of a stream, which may be a terminal.
    #[must_use]
    pub const fn on(terminal: bool) -> Self {
        if terminal { Self::Folded } else { Self::Whole }
    }
}

/// Words with a tone, such as a cell of a row.
pub type Cell = (Tone, String);

/// A cell without a tone.
pub fn plain(words: impl Into<String>) -> Cell {
    (Tone::Plain, words.into())
}

/// Text as it grows.
#[derive(Debug)]
pub struct Text {
    out: String,
    /// How wide the line is, without the blanks.
    column: usize,
    /// Blanks that are only written if something follows on the line.
    blanks: usize,
    style: Style,
}

impl Text {
    /// None yet.
    #[must_use]
    pub const fn new(style: Style) -> Self {
        Self { out: String::new(), column: 0, blanks: 0, style }
    }

    /// Adds words to the line.
    pub fn put(&mut self, tone: Tone, words: &str) -> &mut Self {
        if words.is_empty() {
            return self;
        }
        self.column += self.blanks + columns(words);
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
        (self.column, self.blanks) = (0, 0);
        self.out.push('\n');
    }

    /// Adds words and ends the line; what goes beyond [`WIDTH`] goes on in lines that begin `indent` blanks from the
    /// left. What stands in backquotes is a command: it is never broken, to be copied whole.
    pub fn fold(&mut self, cells: &[Cell], indent: usize) {
        for (number, line) in wrap(cells, self.column + self.blanks, indent).iter().enumerate() {
            if number > 0 {
                self.end();
                self.skip(indent);
            }
            for (tone, words) in line {
                self.put(*tone, words);
            }
        }
        self.end();
    }

    /// Adds a line about a place in a file.
    pub fn place(&mut self, cells: &[Cell], places: Places) {
        match places {
            Places::Folded => self.fold(cells, HANGING),
            Places::Whole => {
                cells.iter().for_each(|(tone, words)| _ = self.put(*tone, words));
                self.end();
            }
        }
    }

    /// Adds words below a line, `indent` blanks from the left; nothing if there are none.
    pub fn below(&mut self, words: &str, indent: usize) {
        if !words.is_empty() {
            self.skip(indent).fold(&[plain(words)], indent);
        }
    }

    /// Adds a line of cells under each other; the last one is folded under itself.
    pub fn row(&mut self, cells: &[Cell], widths: &[usize]) {
        if let Some(((tone, last), first)) = cells.split_last() {
            for ((tone, words), width) in first.iter().zip(widths) {
                self.put(*tone, words).skip(width.saturating_sub(columns(words)) + GAP);
            }
            let column = self.column + self.blanks;
            self.fold(&[(*tone, last.clone())], column);
        }
    }

    /// Adds lines of cells, all columns as wide as their widest cell.
    pub fn table(&mut self, rows: &[Vec<Cell>], indent: usize) {
        let widths = widths(rows);
        for row in rows {
            self.skip(indent).row(row, &widths);
        }
    }

    /// Adds a heading, if there is one, and a line of cells for each item, with what `below` adds to it.
    pub fn list<T>(
        &mut self,
        head: &[&str],
        items: &[T],
        indent: usize,
        row: impl Fn(&T) -> Vec<Cell>,
        below: impl Fn(&mut Self, &T),
    ) {
        let head: Vec<_> = head.iter().map(|words| plain(*words)).collect();
        let rows: Vec<_> = items.iter().map(row).collect();
        let widths = widths(std::iter::once(&head).chain(&rows));
        if !head.is_empty() {
            self.skip(indent).row(&head, &widths);
        }
        for (item, row) in items.iter().zip(&rows) {
            self.skip(indent).row(row, &widths);
            below(self, item);
        }
    }

    /// Adds a label and words, with the label `indent` blanks from the left and the words `width` further on.
    pub fn entry(&mut self, (tone, label): Cell, words: Cell, indent: usize, width: usize) {
        self.skip(indent).put(tone, &label).skip(width.saturating_sub(columns(&label)));
        self.fold(&[words], indent + width);
    }

    /// All of it.
    #[must_use]
    pub fn finish(self) -> String {
        self.out
    }
}

/// Between two columns.
const GAP: usize = 2;

/// Blanks before what a long line goes on with, where nothing else says how many.
pub const HANGING: usize = 4;

/// The widths of the columns of a table.
#[must_use]
pub fn widths<'r>(rows: impl IntoIterator<Item = &'r Vec<Cell>>) -> Vec<usize> {
    let mut widths = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, (_, words)) in widths.iter_mut().zip(row) {
            *width = columns(words).max(*width);
        }
    }
    widths
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

/// Lines that end within [`WIDTH`], if no word is wider; one line at least. The first begins at `column`.
fn wrap(cells: &[Cell], column: usize, indent: usize) -> Vec<Vec<Cell>> {
    let (mut lines, mut line, mut column) = (Vec::new(), Vec::new(), column);
    for word in words(cells) {
        let width: usize = word.iter().map(|(_, part)| columns(part)).sum();
        if !line.is_empty() && column + 1 + width > WIDTH {
            lines.push(std::mem::take(&mut line));
            column = indent;
        }
        if let Some((before, _)) = line.last() {
            let between =
                if word.first().is_some_and(|(tone, _)| tone == before) { *before } else { Tone::Plain };
            append(&mut line, between, " ");
            column += 1;
        }
        word.iter().for_each(|(tone, part)| append(&mut line, *tone, part));
        column += width;
    }
    lines.push(line);
    lines
}

/// What lies between blanks outside of backquotes; a word may have parts of different tones.
fn words(cells: &[Cell]) -> Vec<Vec<Cell>> {
    let (mut words, mut word, mut quoted) = (Vec::new(), Vec::new(), false);
    for (tone, c) in cells.iter().flat_map(|(tone, words)| words.chars().map(move |c| (*tone, c))) {
        quoted ^= c == '`';
        if c == ' ' && !quoted {
            words.push(std::mem::take(&mut word));
        } else {
            append(&mut word, tone, c.encode_utf8(&mut [0; 4]));
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

fn append(line: &mut Vec<Cell>, tone: Tone, words: &str) {
    match line.last_mut() {
        Some((last, before)) if *last == tone => before.push_str(words),
        _ => line.push((tone, words.to_owned())),
    }
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

    /// The lines of words of one tone, of which the first begins at `column`.
    fn lines(words: &str, column: usize) -> Vec<String> {
        let words_of = |line: &Vec<Cell>| line.iter().map(|(_, words)| words.as_str()).collect();
        wrap(&[plain(words)], column, column).iter().map(words_of).collect()
    }

    #[test]
    fn commands_are_not_broken() {
        let command = format!("`{}x`", "x ".repeat(60));
        assert_eq!(
            lines(&format!("run {command}, then look"), 60),
            ["run", &format!("{command}, then look")[..command.len() + 1], "then look"]
        );
        assert_eq!(lines("", 70), [""]);
        assert_eq!(lines("one two three", 73), ["one two", "three"]);
    }

    #[test]
    fn entries_are_wrapped_under_their_words() {
        let mut text = Text::new(Style::Plain);
        text.entry(plain("hint"), plain("word ".repeat(20)), 2, 6);
        let line = |count: usize| vec!["word"; count].join(" ");
        assert_eq!(text.finish(), format!("  hint  {}\n        {}\n", line(14), line(6)));
    }

    #[test]
    fn words_keep_their_tones_when_they_are_wrapped() {
        let mut text = Text::new(Style::Colored);
        let cells = [plain("it's down"), (Tone::Bad, ": not up".to_owned()), plain("!")];
        text.skip(66).fold(&cells, 2);
        let blanks = " ".repeat(66);
        assert_eq!(
            text.finish(),
            format!("{blanks}it's down\x1b[1;31m: not\x1b[0m\n  \x1b[1;31mup\x1b[0m!\n")
        );
    }

    #[test]
    fn the_last_cell_of_a_row_is_wrapped_under_itself() {
        let mut text = Text::new(Style::Plain);
        text.table(&[vec![plain("a"), plain("word ".repeat(16))]], 2);
        assert_eq!(text.finish(), format!("  a  {}\n     word\n", ["word"; 15].join(" ")));
    }

    #[test]
    fn places_are_whole_for_programs() {
        let text = |places| {
            let mut text = Text::new(Style::Plain);
            text.place(&[plain("a:1: "), (Tone::Odd, "word ".repeat(16))], places);
            text.finish()
        };
        assert_eq!(text(Places::on(false)), format!("a:1: {}\n", "word ".repeat(16)));
        assert_eq!(text(Places::on(true)), format!("a:1: {}\n    word\n", ["word"; 15].join(" ")));
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
        fn wrapping_loses_nothing_but_blanks(words in "[a-z` ]{0,300}", column in 0..100usize) {
            let bare = |text: &str| text.replace(' ', "");
            prop_assert_eq!(bare(&lines(&words, column).concat()), bare(&words));
        }

        #[test]
        fn no_line_of_short_words_is_too_wide(words in "[a-z ]{0,9}( [a-z]{0,20}){0,30}", indent in 0..60usize) {
            let mut text = Text::new(Style::Plain);
            text.below(&words, indent);
            prop_assert!(text.finish().lines().all(|line| columns(line) <= WIDTH));
        }
    }
}
