//! What the program is asked to do.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::{Long, Short};

pub(crate) const HELP: &str = "\
Three services on loopback, and one request that travels through them.

Usage: anatomy [OPTIONS]

Without options it plays four scenes and prints what each hop saw. It exits with 1 if anything did not hold.

Options:
      --json         Prints JSON lines instead of text
      --trace FILE   Writes the run in the Chrome trace event format, which https://ui.perfetto.dev and
                     chrome://tracing open
      --serve        Keeps the services running, and opens the story as a page in the browser, if there is one
      --port PORT    The port of that page on loopback [default: any that is free]
  -h, --help         Prints this
";

/// What to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) json: bool,
    pub(crate) trace: Option<PathBuf>,
    /// The port of the page, 0 for any; `None` where no page is asked for.
    pub(crate) serve: Option<u16>,
}

/// `None` where help is asked for.
pub(crate) fn parse(
    arguments: impl Iterator<Item = OsString>,
) -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options::default();
    let (mut serve, mut port) = (false, None);
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("json") => options.json = true,
            Long("trace") => options.trace = Some(parser.value()?.into()),
            Long("serve") => serve = true,
            Long("port") => port = Some(lexopt::ValueExt::parse(&parser.value()?)?),
            Short('h') | Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    match (serve, port) {
        (false, Some(_)) => Err("`--port` is the port of the page: add `--serve`".into()),
        (true, _) if options.json || options.trace.is_some() => {
            Err("`--serve` shows the story as a page, which has the trace to download: \
                 `--json` and `--trace` go without it"
                .into())
        }
        (true, port) => Ok(Some(Options { serve: Some(port.unwrap_or(0)), ..options })),
        (false, None) => Ok(Some(options)),
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests may panic")]
mod tests {
    use super::{Options, parse};

    fn parsed(line: &str) -> Result<Option<Options>, String> {
        parse(line.split_whitespace().map(Into::into)).map_err(|error| error.to_string())
    }

    #[test]
    fn each_is_understood() {
        let with = |options| Ok(Some(options));
        assert_eq!(parsed(""), with(Options::default()));
        let (json, trace) = (true, Some("a.json".into()));
        assert_eq!(parsed("--trace a.json --json"), with(Options { json, trace, serve: None }));
        assert_eq!(parsed("--serve"), with(Options { serve: Some(0), ..Options::default() }));
        let serve = Some(8080);
        assert_eq!(parsed("--port 8080 --serve"), with(Options { serve, ..Options::default() }));
        assert_eq!(parsed("-h"), Ok(None));
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (line, word) in [
            ("--port 80", "--serve"),
            ("--serve --json", "--json"),
            ("--serve --trace a", "--trace"),
            ("--port 66000 --serve", "66000"),
            ("--trace", "--trace"),
            ("a", "\"a\""),
        ] {
            let error = parsed(line).expect_err(line);
            assert!(error.contains(word), "{line}: {error}");
        }
    }
}
