//! The words of a script line, as a shell would cut them: quotes, operators, and what it would work out. Runs nothing.

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A word without its quotes.
    Word(String),
    /// `&&`, `||`, `;`, `|`, `&`, or a redirection such as `>`.
    Operator(&'static str),
}

/// A line that was cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Its pieces.
    pub tokens: Vec<Token>,
    /// Something in it stands for something else, such as `$(…)`.
    pub expands: bool,
}

/// Longer ones first.
const OPERATORS: &[&str] = &["&&", "||", "&>", ">>", ">&", ">", "<", ";", "|", "&"];

impl Line {
    /// Cuts a text.
    #[must_use]
    pub fn cut(text: &str) -> Self {
        let mut line = Self::default();
        let mut word: Option<String> = None;
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            let after = rest.get(letter.len_utf8()..).unwrap_or_default();
            if let Some(operator) = OPERATORS.iter().find(|operator| rest.starts_with(**operator)) {
                // 2> and the like.
                let number = |word: &String| word.chars().all(|c| c.is_ascii_digit());
                let word = word.take().filter(|word| !(operator.contains('>') && number(word)));
                line.tokens.extend(word.map(Token::Word));
                line.tokens.push(Token::Operator(operator));
                rest = rest.get(operator.len()..).unwrap_or_default();
                continue;
            }
            let mut end = None;
            match letter {
                '\'' => {
                    let (inner, more) = after.split_once('\'').unwrap_or((after, ""));
                    word.get_or_insert_default().push_str(inner);
                    end = Some(more);
                }
                '"' => end = Some(line.quoted(after, word.get_or_insert_default())),
                '\\' => {
                    let mut letters = after.chars();
                    word.get_or_insert_default().extend(letters.next());
                    end = Some(letters.as_str());
                }
                '`' | '$' => {
                    line.expands |= letter == '`' || expands(after);
                    let (command, more) = rest.split_at(substitution(rest));
                    word.get_or_insert_default().push_str(command);
                    end = Some(more);
                }
                '(' | ')' => line.expands = true,
                _ if letter.is_whitespace() => {
                    line.tokens.extend(word.take().map(Token::Word));
                    end = Some(after);
                }
                _ => {}
            }
            rest = end.unwrap_or_else(|| {
                word.get_or_insert_default().push(letter);
                after
            });
        }
        line.tokens.extend(word.map(Token::Word));
        line
    }

    /// What is in double quotes, up to the second of them; returns what follows.
    fn quoted<'t>(&mut self, text: &'t str, word: &mut String) -> &'t str {
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '"' => break,
                '\\' => word.extend(letters.next()),
                _ => {
                    self.expands |= letter == '`' || letter == '$' && expands(letters.as_str());
                    word.push(letter);
                }
            }
        }
        letters.as_str()
    }

    /// Its words, if it is nothing but words.
    #[must_use]
    pub fn words(&self) -> Option<Vec<&str>> {
        self.tokens.iter().map(Token::word).collect()
    }

    /// Leaves out what changes nothing of a command's exit code: output to nowhere, and endings that pass it on.
    pub fn simplify(&mut self) {
        use Token::{Operator, Word};
        while let Some(at) = self.tokens.windows(2).position(|pair| match pair {
            [Operator(">" | ">>" | "&>"), Word(target)] => target == "/dev/null",
            [Operator(">&"), Word(target)] => target == "/dev/null" || target == "1" || target == "2",
            _ => false,
        }) {
            self.tokens.drain(at..at + 2);
        }
        while let Some(length) = passed_on(&self.tokens) {
            self.tokens.truncate(self.tokens.len().saturating_sub(length));
        }
    }
}

impl Token {
    fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            Self::Operator(_) => None,
        }
    }
}

/// How many pieces at the end only pass an exit code on, if any do.
fn passed_on(tokens: &[Token]) -> Option<usize> {
    use Token::{Operator, Word};
    let fails = |code: &String| code.parse::<u8>().is_ok_and(|code| code != 0);
    match tokens {
        // Once it has failed there is no second exit.
        [.., Operator("||"), Word(exit), Word(code), Operator(";"), Word(last), Word(zero)]
            if exit == "exit" && fails(code) && last == "exit" && zero == "0" =>
        {
            Some(6)
        }
        [.., Operator("||"), Word(exit), Word(code)] if exit == "exit" && fails(code) => Some(3),
        [.., Operator("&&"), Word(exit), Word(code)] if exit == "exit" && code == "0" => Some(3),
        [.., Operator(";"), Word(exit), Word(code)] if exit == "exit" && code == "$?" => Some(3),
        [.., Operator("||"), Word(no)] if no == "false" => Some(2),
        [.., Operator("&&"), Word(yes)] if yes == "true" => Some(2),
        [.., Operator(";")] => Some(1),
        _ => None,
    }
}

/// What follows a `$` makes it stand for something else; `$?` is the exit code of the command itself.
fn expands(after: &str) -> bool {
    after.starts_with(|c: char| c.is_alphanumeric() || "_({@*#$".contains(c))
}

/// Bytes of what a `$` or a backquote begins: a command up to its end, or the one letter.
fn substitution(text: &str) -> usize {
    let end = if text.starts_with('`') {
        text.char_indices().skip(1).find(|(_, letter)| *letter == '`').map(|(at, _)| at + 1)
    } else if text.starts_with("$(") {
        let mut depth = 0_u32;
        text.char_indices().find_map(|(at, letter)| {
            match letter {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            (letter == ')' && depth == 0).then_some(at + 1)
        })
    } else {
        Some(1)
    };
    end.unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(line: &Line) -> String {
        let show = |token: &Token| match token {
            Token::Word(word) => word.clone(),
            Token::Operator(operator) => format!("<{operator}>"),
        };
        let expands = if line.expands { "$ " } else { "" };
        format!("{expands}{}", line.tokens.iter().map(show).collect::<Vec<_>>().join("|"))
    }

    #[test]
    fn cuts_as_a_shell_does() {
        for (text, expected) in [
            ("/bin/a  -b\tc", "/bin/a|-b|c"),
            ("a 'b  c' \"d \\\" e\"f g\\ h ''", "a|b  c|d \" ef|g h|"),
            ("a&&b||c;d", "a|<&&>|b|<||>|c|<;>|d"),
            ("a >/dev/null 2>&1", "a|<>>|/dev/null|<>&>|1"),
            ("a 2 >b", "a|2|<>>|b"),
            ("kill -0 $(cat /run/a.pid) x", "$ kill|-0|$(cat /run/a.pid)|x"),
            ("kill -0 `cat /run/a.pid`", "$ kill|-0|`cat /run/a.pid`"),
            ("a \"$B\" (c)", "$ a|$B|(c)"),
            ("a '$B' ^b$ $?", "a|$B|^b$|$?"),
            ("a 'b", "a|b"),
            ("$(", "$ $("),
        ] {
            assert_eq!(shown(&Line::cut(text)), expected, "{text}");
        }
    }

    #[test]
    fn what_passes_an_exit_code_on_is_left_out() {
        for text in [
            "a b",
            "a b && exit 0 || exit 1",
            "a b || exit 1; exit 0",
            "a b >/dev/null 2>&1; exit $?",
            "a b &>/dev/null || false;",
        ] {
            let mut line = Line::cut(text);
            line.simplify();
            assert_eq!(line.words(), Some(vec!["a", "b"]), "{text}");
        }
        for text in ["a b && exit 1", "a b || exit 0", "a b; exit 0", "a b > c", "a | b", "a && b"] {
            let mut line = Line::cut(text);
            line.simplify();
            assert_eq!(line.words(), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "[a $`()'\"\\\\&|;<>0-9é]{0,30}") {
            let mut line = Line::cut(&text);
            line.simplify();
        }
    }
}
