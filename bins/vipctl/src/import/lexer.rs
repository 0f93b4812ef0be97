//! The text of a keepalived.conf to words and braces, as keepalived cuts it: comments glued to words, quotes, lines that
//! are too long. Knows no keyword.

use std::rc::Rc;

use super::note::{Notes, Place, Refusal};

/// Bytes that keepalived reads as one line; what is beyond them is a line of its own.
const LINE_MAX: usize = 1023;

/// What some editors begin a UTF-8 file with.
const MARK: char = '\u{feff}';

/// Words or a brace, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where.
    pub at: Place,
    /// What.
    pub token: Token,
}

/// The words between braces and ends of lines, or a brace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// One or more.
    Words(Vec<String>),
    /// `{`
    Open,
    /// `}`
    Close,
}

/// Hands each line that holds anything to `each`.
///
/// # Errors
/// A line that cannot be understood, or `each` refuses.
pub fn lines(
    file: &Rc<str>,
    text: &str,
    notes: &mut Notes,
    mut each: impl FnMut(Vec<Piece>, &mut Notes) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    if text.starts_with(MARK) {
        let at = Place { file: file.clone(), line: 1 };
        notes.say(
            &at,
            "the file begins with a byte order mark: keepalived takes it as part of the first word; save it without",
        );
    }
    for (number, mut rest) in text.lines().enumerate() {
        let at = Place { file: file.clone(), line: number + 1 };
        if rest.len() > LINE_MAX {
            notes.say(
                &at,
                format!("a line of more than {LINE_MAX} bytes: keepalived reads the rest as another"),
            );
        }
        loop {
            let (line, more) = cut(rest, LINE_MAX);
            let pieces = pieces(&at, line, notes)?;
            if !pieces.is_empty() {
                each(pieces, notes)?;
            }
            if more.is_empty() {
                break;
            }
            rest = more;
        }
    }
    Ok(())
}

/// The first bytes of a text, no more than these and whole characters, and the rest.
#[must_use]
pub fn cut(text: &str, most: usize) -> (&str, &str) {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.split_at(end)
}

/// One line.
fn pieces(at: &Place, line: &str, notes: &mut Notes) -> Result<Vec<Piece>, Refusal> {
    let mut found = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '#' | '!' => {
                if word.is_some() {
                    notes.say(at, format!("{letter} within a word: keepalived takes the rest as a comment"));
                }
                break;
            }
            '"' => {
                words.extend(word.take());
                words.push(quoted(at, &mut letters)?);
            }
            '{' | '}' => {
                words.extend(word.take());
                push(&mut found, at, &mut words);
                let token = if letter == '{' { Token::Open } else { Token::Close };
                found.push(Piece { at: at.clone(), token });
            }
            '\\' => match letters.next_if(|next| "#!".contains(*next)) {
                Some(next) => word.get_or_insert_default().push(next),
                None => word.get_or_insert_default().push(letter),
            },
            _ if letter.is_ascii_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    push(&mut found, at, &mut words);
    understood(at, &found)?;
    Ok(found)
}

fn push(found: &mut Vec<Piece>, at: &Place, words: &mut Vec<String>) {
    if !words.is_empty() {
        found.push(Piece { at: at.clone(), token: Token::Words(std::mem::take(words)) });
    }
}

fn quoted(at: &Place, letters: &mut impl Iterator<Item = char>) -> Result<String, Refusal> {
    let mut word = String::new();
    for letter in letters {
        if letter == '"' {
            return Ok(word);
        }
        word.push(letter);
    }
    Err(Refusal::new(at, "a quote is not closed on its line", "close it, or leave it out"))
}

/// What would have to be worked out before the words are the words that keepalived acts on.
fn understood(at: &Place, pieces: &[Piece]) -> Result<(), Refusal> {
    for (number, piece) in pieces.iter().enumerate() {
        let Token::Words(words) = &piece.token else { continue };
        for (place, word) in words.iter().enumerate() {
            let first = number == 0 && place == 0;
            let what = if word.contains('\u{fffd}') {
                "a word that is not UTF-8"
            } else if first && word.starts_with('@') {
                "a line for some hosts only (@)"
            } else if first && word.starts_with('$') && word.contains('=') {
                "the definition of a parameter ($NAME=)"
            } else if word.contains("${")
                || word.contains("$_")
                || word.ends_with('$') && followed(pieces, number)
            {
                "a parameter ($)"
            } else if word.contains("~SEQ") || word.contains("~LST") {
                "a loop (~SEQ, ~LST)"
            } else {
                continue;
            };
            let remedy = "this is not supported: write out what it stands for";
            return Err(Refusal::new(at, what, remedy));
        }
    }
    Ok(())
}

/// A brace comes next, as in `${NAME}`.
fn followed(pieces: &[Piece], number: usize) -> bool {
    pieces.get(number + 1).is_some_and(|next| next.token == Token::Open)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Vec<Piece>, Refusal> {
        let mut all = Vec::new();
        let mut notes = Notes::new(false);
        lines(&"x".into(), text, &mut notes, |pieces, _| {
            all.extend(pieces);
            Ok(())
        })?;
        Ok(all)
    }

    fn shown(text: &str) -> String {
        let show = |piece: Piece| match piece.token {
            Token::Words(words) => format!("{}:{}", piece.at.line, words.join("|")),
            Token::Open => "{".to_owned(),
            Token::Close => "}".to_owned(),
        };
        read(text).unwrap().into_iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn cuts_as_keepalived_does() {
        for (text, expected) in [
            ("router_id web1#12", "1:router_id|web1"),
            ("auth_pass a!b", "1:auth_pass|a"),
            ("auth_pass a\\#b # c", "1:auth_pass|a#b"),
            ("router_id \"my #1 {node}\" x", "1:router_id|my #1 {node}|x"),
            ("id 5\"4\"", "1:id|5|4"),
            ("a{b c}d", "1:a { 1:b|c } 1:d"),
            ("# all\n\n  ! of it\nx", "4:x"),
            ("a\r\nb\t c", "1:a 2:b|c"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn the_rest_of_a_long_line_is_another() {
        let text = format!("{}priority 7", " ".repeat(1021));
        assert_eq!(shown(&text), "1:pr 1:iority|7");
    }

    #[test]
    fn refuses_what_it_does_not_work_out() {
        for text in [
            "$A=1",
            "x ${A}",
            "x $_PWD",
            "@one router_id a",
            "~SEQ(a,3) x",
            "router_id \"a",
            "router_id \u{fffd}",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(shown("auth_pass pa$word"), "1:auth_pass|pa$word");
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in any::<String>()) {
            let _ = read(&text);
        }
    }
}
