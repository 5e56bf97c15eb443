//! The terminal: how wide and high it is, and whether it has colours.

use std::io::IsTerminal;

use terminal_size::{Height, Width, terminal_size_of};

/// Where it is none: what fits a log or a mail.
const WIDTH: usize = 120;

pub(crate) struct Terminal {
    pub(crate) width: usize,
    /// None where it is no terminal: then everything is written.
    pub(crate) height: Option<usize>,
    colour: bool,
}

/// What is told by colour is told by words too.
#[derive(Clone, Copy)]
pub(crate) enum Ink {
    Plain,
    Strong,
    Faint,
    Good,
    Warn,
    Bad,
}

impl Ink {
    fn code(self) -> &'static str {
        match self {
            Ink::Plain => "",
            Ink::Strong => "\x1b[1m",
            Ink::Faint => "\x1b[2m",
            Ink::Good => "\x1b[32m",
            Ink::Warn => "\x1b[33m",
            Ink::Bad => "\x1b[1;31m",
        }
    }
}

impl Terminal {
    pub(crate) fn of_stdout() -> Terminal {
        let stdout = std::io::stdout();
        if !stdout.is_terminal() {
            // `COLUMNS` is for scripts that know better.
            let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
            return Terminal {
                width: columns.unwrap_or(WIDTH).max(40),
                height: None,
                colour: false,
            };
        }
        let (width, height) = match terminal_size_of(&stdout) {
            Some((Width(width), Height(height))) => (usize::from(width), usize::from(height)),
            None => (80, 24),
        };
        // See no-color.org.
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Terminal { width: width.max(40), height: Some(height), colour: !no_colour && !dumb }
    }

    /// Before the next look: the top of the screen, and what is below wiped.
    pub(crate) fn clear(&self) -> &'static str {
        if self.height.is_some() { "\x1b[H\x1b[2J" } else { "" }
    }

    pub(crate) fn paint(&self, ink: Ink, text: &str) -> String {
        match ink.code() {
            "" => text.to_owned(),
            code if self.colour => format!("{code}{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }
}
