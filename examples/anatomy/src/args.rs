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
