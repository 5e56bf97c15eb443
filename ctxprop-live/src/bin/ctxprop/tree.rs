//! A snapshot as a tree, as wide as the terminal and no higher.

use std::collections::HashMap;
use std::fmt::Write;

use ctxprop_live::model::{Await, Recent, Snapshot, State, Work, WorkKind};

use crate::args::Ps;
use crate::paint::{Ink, Terminal};
use crate::words::{cause, duration, fit, left, place, plain, short};

/// What ended longer ago than this and is still there, leaks.
const UNWINDS_MS: u64 = 1_000;

/// One line: what stands on the left, and for how long on the right.
struct Line {
    indent: String,
    ink: Ink,
    text: String,
    rest: String,
    right: String,
}

pub(crate) fn written(snapshot: &Snapshot, ps: &Ps, terminal: &Terminal) -> String {
    let mut out = String::new();
    head(&mut out, snapshot, terminal);
    let tops = tops(snapshot, ps.filter.as_deref());
    let below = below(snapshot);
    // The head, what ended, and a line that is free.
    let fits =
        terminal.height.map(|height| height.saturating_sub(5 + recent_lines(&snapshot.recent)));
    let room = if ps.lines.is_some() { usize::MAX } else { fits.unwrap_or(usize::MAX) };
    let (mut lines, mut shown) = (Vec::new(), 0);
    for top in tops.iter().take(ps.lines.unwrap_or(usize::MAX)) {
        let before = lines.len();
        work(&mut lines, top, &below, "", snapshot.now);
        // The first is shown in any case, cut where it must be.
        if lines.len() > room && shown > 0 {
            lines.truncate(before);
            break;
        }
        shown += 1;
    }
    lines.truncate(room);
    lines.iter().for_each(|line| line.write(&mut out, terminal));
    if shown < tops.len() {
        let more =
            format!("and {} more: --lines, --filter and --json show them\n", tops.len() - shown);
        out.push_str(&terminal.paint(Ink::Faint, &more));
    }
    if snapshot.live.is_empty() {
        out.push_str("nothing is live\n");
    } else if tops.is_empty() {
        out.push_str("nothing matches the filter\n");
    }
    recent(&mut out, &snapshot.recent, terminal);
    out
}

fn head(out: &mut String, snapshot: &Snapshot, terminal: &Terminal) {
    let (process, counts) = (&snapshot.process, snapshot.counts);
    let name =
        terminal.paint(Ink::Strong, &format!("{} (pid {})", plain(&process.program), process.pid));
    let _ = write!(
        out,
        "{name}: {} requests, {} tasks, {} shields",
        counts.requests, counts.tasks, counts.shields
    );
    if counts.leaks > 0 {
        let leaks = format!(", {} ended and did not unwind", counts.leaks);
        out.push_str(&terminal.paint(Ink::Bad, &leaks));
    }
    out.push('\n');
    if process.observed_since == 0 {
        let off = "this process is not looked at: it calls `ctxprop_live::enable()`, or the page's button does\n";
        out.push_str(&terminal.paint(Ink::Warn, off));
    }
    if counts.untracked > 0 {
        let full =
            format!("the bound on memory is reached: {} were not let in\n", counts.untracked);
        out.push_str(&terminal.paint(Ink::Warn, &full));
    }
    out.push('\n');
}

fn below(snapshot: &Snapshot) -> HashMap<u64, Vec<&Work>> {
    let mut below: HashMap<u64, Vec<&Work>> = HashMap::new();
    for work in &snapshot.live {
        if let Some(parent) = work.parent {
            below.entry(parent).or_default().push(work);
        }
    }
    below
}

/// Those that are part of no other, which match: a tree is shown whole.
fn tops<'a>(snapshot: &'a Snapshot, filter: Option<&str>) -> Vec<&'a Work> {
    let known: HashMap<u64, &Work> = snapshot.live.iter().map(|work| (work.id, work)).collect();
    let is_top = |work: &&Work| work.parent.is_none_or(|parent| !known.contains_key(&parent));
    let Some(filter) = filter.map(str::to_lowercase) else {
        return snapshot.live.iter().filter(is_top).collect();
    };
    let mut matching = std::collections::HashSet::new();
    for work in snapshot.live.iter().filter(|work| matches(work, &filter)) {
        let mut at = work;
        while let Some(parent) = at.parent.and_then(|parent| known.get(&parent)) {
            at = parent;
        }
        matching.insert(at.id);
    }
    snapshot.live.iter().filter(is_top).filter(|work| matching.contains(&work.id)).collect()
}

fn matches(work: &Work, filter: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(filter);
    let at = |one: &Await| {
        has(&one.function)
            || has(&one.what)
            || has(&format!("{}:{}", one.place.file, one.place.line))
    };
    has(&work.name)
        || work.trace.as_ref().is_some_and(|trace| has(&trace.trace_id))
        || work.awaits.iter().any(at)
}

fn work(
    lines: &mut Vec<Line>,
    work_: &Work,
    below: &HashMap<u64, Vec<&Work>>,
    indent: &str,
    now: u64,
) {
    let age = duration(now.saturating_sub(work_.began));
    let name =
        if work_.kind == WorkKind::Request { work_.name.clone() } else { short(&work_.name) };
    let mut rest = Vec::new();
    let ink = match (&work_.end, work_.running_since) {
        (Some(end), _) => {
            let by = end.by.as_ref().map(|by| format!(" by {}", place(by))).unwrap_or_default();
            let ago = now.saturating_sub(end.at);
            rest.push(format!("ended {} ago: {}{by}", duration(ago), cause(end)));
            if ago > UNWINDS_MS { Ink::Bad } else { Ink::Warn }
        }
        (None, Some(since)) if now.saturating_sub(since) > 100 => {
            rest.push(format!("blocks its thread for {}", duration(now - since)));
            Ink::Warn
        }
        _ => Ink::Strong,
    };
    let at = work_.place.as_ref().map(|at| format!(" at {}", place(at))).unwrap_or_default();
    match work_.kind {
        WorkKind::Request => {}
        WorkKind::Blocking => rest.push(format!("blocking code{at}")),
        WorkKind::Task => rest.push(format!("task{at}")),
        _ => rest.push(format!("scope{at}")),
    }
    if work_.state == State::Running && rest.is_empty() {
        rest.push("runs".to_owned());
    }
    rest.extend(work_.detached.as_ref().map(|reason| format!("detached: {reason}")));
    let is_late = work_.end.as_ref().is_some_and(|end| end.cause == "deadline_exceeded");
    rest.extend(work_.budget.as_ref().map(|budget| match is_late {
        true => format!("budget {}", duration(budget.granted_ms)),
        false => left(budget, now),
    }));
    if work_.kind == WorkKind::Request {
        rest.extend(work_.trace.as_ref().map(|trace| format!("trace {}", trace.trace_id)));
    }
    lines.push(Line {
        indent: indent.to_owned(),
        ink,
        text: name,
        rest: rest.join(", "),
        right: age,
    });
    let inner = format!("{indent}  ");
    for one in &work_.awaits {
        let mut rest = format!("at {}", place(&one.place));
        if !one.function.is_empty() {
            let _ = write!(rest, " in {}", short(&one.function));
        }
        let mut what = short(&one.what);
        if let Some(shield) = &one.shield {
            what = format!("shield ({}): {what}", left(shield, now));
        }
        if let Some(end) = &one.end {
            what = format!(
                "ended {} ago, {}: {what}",
                duration(now.saturating_sub(end.at)),
                cause(end)
            );
        }
        let indent = format!("{inner}{}", "  ".repeat(usize::from(one.depth)));
        let right = duration(now.saturating_sub(one.since));
        lines.push(Line { indent, ink: Ink::Plain, text: what, rest, right });
    }
    for child in below.get(&work_.id).into_iter().flatten() {
        work(lines, child, below, &format!("{inner}└ "), now);
    }
}

impl Line {
    fn write(&self, out: &mut String, terminal: &Terminal) {
        // One column between, and the right one is not cut.
        let room = terminal.width.saturating_sub(self.right.chars().count() + 1);
        // Below a branch the lines go on under it.
        let indent = self.indent.replace("└ ", "  ");
        let indent = match self.indent.strip_suffix("└ ") {
            Some(before) => format!("{}└ ", before.replace("└ ", "  ")),
            None => indent,
        };
        let indent = fit(&indent, room / 2);
        // What is long leaves a part to the rest, which is worth as much.
        let left = room.saturating_sub(indent.chars().count());
        let most = left.saturating_sub(self.rest.chars().count() + 2).max(left * 3 / 5);
        let text = fit(&self.text, most);
        let used = indent.chars().count() + text.chars().count();
        let rest = fit(&self.rest, room.saturating_sub(used + 2));
        let gap = room.saturating_sub(used + 2 + rest.chars().count());
        let _ = writeln!(
            out,
            "{indent}{}  {}{} {}",
            terminal.paint(self.ink, &text),
            terminal.paint(Ink::Faint, &rest),
            " ".repeat(gap),
            self.right
        );
    }
}

fn recent_lines(recent: &Recent) -> usize {
    let some = recent.families.iter().filter(|family| family.buckets.iter().any(|it| it.count > 0));
    some.count() + 2
}

fn recent(out: &mut String, recent: &Recent, terminal: &Terminal) {
    let some = |family: &&ctxprop_live::model::Family| family.buckets.iter().any(|it| it.count > 0);
    let families: Vec<_> = recent.families.iter().filter(some).collect();
    if families.is_empty() {
        return;
    }
    let mut head = format!("\n{:13}", "ended");
    for bound in &recent.bounds_ms {
        let _ = write!(head, "{:>9}", format!("<={}", duration(*bound).replace(' ', "")));
    }
    let _ = writeln!(head, "{:>9}", "more");
    out.push_str(&terminal.paint(Ink::Faint, &head));
    for family in families {
        let how = format!("{:?}", family.how).to_lowercase();
        let ink = if how == "finished" { Ink::Good } else { Ink::Warn };
        out.push_str(&terminal.paint(ink, &format!("{how:13}")));
        for bucket in &family.buckets {
            let count = if bucket.count == 0 { "-".to_owned() } else { bucket.count.to_string() };
            let _ = write!(out, "{count:>9}");
        }
        out.push('\n');
    }
}
