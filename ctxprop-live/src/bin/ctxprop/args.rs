//! The command line.

use std::ffi::OsString;
use std::time::Duration;

use lexopt::prelude::*;

pub(crate) const HELP: &str = "\
ctxprop ps PID-or-URL: what each live request of a running process waits for

The process has the router of the crate `ctxprop-live` mounted, and was switched on by
`ctxprop_live::enable()`. A PID is that of a process on this machine, whose listeners on
loopback are asked; a URL is where `/debug/ctx` is: http://127.0.0.1:6060

  --json           the data as JSON, in one line
  -w, --watch [N]  again every N seconds (1), until Ctrl-C
  -n, --lines N    of what is live, the first N (what fits the terminal; all, where there is none)
  -f, --filter T   only what has T in its name, its trace id or a place
  -h, --help       this
  -V, --version    the version

What has ended and did not unwind comes first. Exit code: 0, or 1 where nothing was found, or
2 where the command line is wrong. NO_COLOR switches the colours off.
";

#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help,
    Version,
    Ps(Ps),
}

#[derive(Debug, PartialEq)]
pub(crate) struct Ps {
    pub(crate) target: Target,
    pub(crate) json: bool,
    pub(crate) watch: Option<Duration>,
    pub(crate) lines: Option<usize>,
    pub(crate) filter: Option<String>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Target {
    Pid(u32),
    Url(String),
}

pub(crate) fn read(args: impl IntoIterator<Item = OsString>) -> Result<Command, lexopt::Error> {
    let mut parser = lexopt::Parser::from_iter(args);
    let (mut is_ps, mut target) = (false, None);
    let (mut json, mut watch, mut lines, mut filter) = (false, None, None, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            Long("json") => json = true,
            Short('w') | Long("watch") => watch = Some(every(&mut parser)?),
            Short('n') | Long("lines") => lines = Some(parser.value()?.parse()?),
            Short('f') | Long("filter") => filter = Some(parser.value()?.string()?),
            Value(value) if !is_ps => match value.to_str() {
                Some("ps") => is_ps = true,
                Some("help") => return Ok(Command::Help),
                _ => return Err("the only command is `ps`: see `ctxprop --help`".into()),
            },
            Value(value) if target.is_none() => {
                let value = value.string()?;
                target = Some(value.parse().map_or(Target::Url(value), Target::Pid));
            }
            _ => return Err(argument.unexpected()),
        }
    }
    if !is_ps {
        return Ok(Command::Help);
    }
    let target = target.ok_or("`ctxprop ps` needs a PID or a URL: see `ctxprop --help`")?;
    Ok(Command::Ps(Ps { target, json, watch, lines, filter }))
}

/// The value of `--watch`, which may be left out.
fn every(parser: &mut lexopt::Parser) -> Result<Duration, lexopt::Error> {
    let seconds = match parser.optional_value() {
        Some(value) => Some(value),
        None => {
            let mut next = parser.raw_args()?;
            // A PID is a number too: what is a number and the last argument is that.
            let is_seconds =
                next.peek().and_then(|it| it.to_str()).is_some_and(|it| it.parse::<f64>().is_ok());
            let rest = next.as_slice().len();
            if is_seconds && rest > 1 { next.next() } else { None }
        }
    };
    let seconds: f64 = seconds.map_or(Ok(1.0), |value| value.parse())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| lexopt::Error::Custom(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Command, String> {
        read(line.split(' ').map(OsString::from)).map_err(|error| error.to_string())
    }

    fn ps(target: Target) -> Ps {
        Ps { target, json: false, watch: None, lines: None, filter: None }
    }

    #[test]
    fn a_number_is_a_process_and_all_else_a_url() {
        assert_eq!(of("ctxprop ps 17"), Ok(Command::Ps(ps(Target::Pid(17)))));
        let url = "http://127.0.0.1:6060";
        assert_eq!(
            of(&format!("ctxprop ps {url}")),
            Ok(Command::Ps(ps(Target::Url(url.to_owned()))))
        );
    }

    #[test]
    fn watch_may_have_a_value() {
        let every = |secs| Some(Duration::from_secs_f64(secs));
        for (line, watch) in [
            ("ctxprop ps 17 --watch", every(1.0)),
            ("ctxprop ps --watch 17", every(1.0)),
            ("ctxprop ps -w 2 17", every(2.0)),
            ("ctxprop ps --watch=0.5 17", every(0.5)),
        ] {
            let expected = Ps { watch, ..ps(Target::Pid(17)) };
            assert_eq!(of(line), Ok(Command::Ps(expected)), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert!(of("ctxprop ps").unwrap_err().contains("needs a PID or a URL"));
        assert!(of("ctxprop top 1").unwrap_err().contains("`ps`"));
        assert!(of("ctxprop ps 1 --wrong").is_err());
        assert!(of("ctxprop ps 1 --watch=-1").is_err());
        assert_eq!(of("ctxprop"), Ok(Command::Help));
    }
}
