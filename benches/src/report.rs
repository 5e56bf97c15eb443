//! The report's frame: rows with a goal each, printed as a table or as JSON lines, and the parts that measure them.
//!
//! A part is a file beside this one. What it counts in a child process of this program it lists as cases.

use std::fmt;

use crate::instructions::{self, Case};

/// One file's worth of rows.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// What `--only` is given.
    pub name: &'static str,
    /// When it runs, if nothing is asked for.
    pub runs: Runs,
    /// What it counts under valgrind.
    pub cases: &'static [Case],
    /// Measures, and adds its rows.
    pub measure: fn(&mut Report) -> Result<(), String>,
}

/// How much of a part's time there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// Also in `--check`: nothing in it depends on the machine's other work.
    Cheap,
    /// In the whole report.
    Whole,
    /// With `--only` alone.
    OnDemand,
}

/// What must hold of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// Ours, at most.
    AtMost(f64),
    /// Ours, at least.
    AtLeast(f64),
    /// Ours over the peer's, at most so many times.
    Ratio(f64),
    /// What ours is more than the peer's, at most.
    Over(f64),
    /// It is shown only.
    None,
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Goal::AtMost(most) => write!(f, "ours <= {most}"),
            Goal::AtLeast(least) => write!(f, "ours >= {least}"),
            Goal::Ratio(most) => write!(f, "ratio <= {most}"),
            Goal::Over(most) => write!(f, "ours - peer <= {most}"),
            Goal::None => f.write_str("-"),
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was measured, and in which unit.
    pub name: String,
    /// Ours.
    pub ours: f64,
    /// The peer's, where there is one.
    pub peer: Option<f64>,
    /// What must hold.
    pub goal: Goal,
    /// Whether the number is the same in each run, so that `benches/budget.toml` may keep it.
    pub counted: bool,
}

impl Row {
    /// Ours over the peer's.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        self.peer.filter(|peer| *peer != 0.0).map(|peer| self.ours / peer)
    }

    /// Whether the goal is met. A goal that needs a peer is missed without one.
    #[must_use]
    pub fn holds(&self) -> bool {
        match self.goal {
            Goal::AtMost(most) => self.ours <= most,
            Goal::AtLeast(least) => self.ours >= least,
            Goal::Ratio(most) => self.ratio().is_some_and(|ratio| ratio <= most),
            Goal::Over(most) => self.peer.is_some_and(|peer| self.ours - peer <= most),
            Goal::None => true,
        }
    }

    /// As one line of JSON.
    #[must_use]
    pub fn json(&self) -> String {
        let (ratio, goal) = (self.ratio(), self.goal.to_string());
        let goal = Some(goal).filter(|_| self.goal != Goal::None);
        serde_json::json!({
            "name": self.name, "ours": self.ours, "peer": self.peer, "ratio": ratio, "goal": goal,
            "holds": self.holds(),
        })
        .to_string()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.peer.map_or_else(|| "-".to_owned(), number);
        let ratio = self.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
        let holds = match (self.goal, self.holds()) {
            (Goal::None, _) => "",
            (_, true) => "yes",
            (_, false) => "NO",
        };
        let (goal, ours) = (self.goal.to_string(), number(self.ours));
        write!(f, "{:66} | {ours:>11} | {peer:>11} | {ratio:>8} | {goal:20} | {holds}", self.name)
    }
}

fn number(value: f64) -> String {
    if value == 0.0 || value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// The table's first line.
pub const HEAD: &str = "what                                                               |        ours |        peer |    ratio | goal                 | holds";

/// The rows so far.
#[derive(Debug)]
pub struct Report {
    /// Whether each row is printed, as soon as it is known, as JSON.
    pub json: bool,
    /// Whether valgrind is there. Without it what it counts is left out.
    pub valgrind: bool,
    /// In the order of measuring.
    pub rows: Vec<Row>,
}

impl Report {
    /// Adds a row that no `benches/budget.toml` keeps: a time, or a size of the whole process.
    pub fn measured(&mut self, name: &str, ours: f64, peer: Option<f64>, goal: Goal) {
        self.add(Row { name: name.to_owned(), ours, peer, goal, counted: false });
    }

    /// Adds a row whose number is the same in each run.
    pub fn counted(&mut self, name: &str, ours: f64, peer: Option<f64>, goal: Goal) {
        self.add(Row { name: name.to_owned(), ours, peer, goal, counted: true });
    }

    /// Counts the instructions of a round of the part's case `ours`, and of `peer`, and adds a row.
    ///
    /// # Errors
    ///
    /// What valgrind says where it does not count.
    pub fn instructions(
        &mut self,
        name: &str,
        ours: Case,
        peer: Option<Case>,
        rounds: [u64; 2],
        goal: Goal,
    ) -> Result<(), String> {
        if !self.valgrind {
            return Ok(());
        }
        let peer = peer.map(|peer| instructions::instructions(peer, rounds)).transpose()?;
        let ours = instructions::instructions(ours, rounds)?;
        self.counted(&format!("{name}, instructions"), ours, peer, goal);
        Ok(())
    }

    /// As [`instructions`](Self::instructions), for what is allocated in a round.
    ///
    /// # Errors
    ///
    /// What valgrind says where it does not count.
    pub fn allocations(
        &mut self,
        name: &str,
        ours: Case,
        peer: Option<Case>,
        rounds: [u64; 2],
        goal: Goal,
    ) -> Result<(), String> {
        if !self.valgrind {
            return Ok(());
        }
        let peer = peer.map(|peer| instructions::allocations(peer, rounds)).transpose()?;
        let ours = instructions::allocations(ours, rounds)?;
        self.counted(&format!("{name}, allocations"), ours, peer, goal);
        Ok(())
    }

    fn add(&mut self, row: Row) {
        if self.json {
            println!("{}", row.json());
        } else {
            println!("{row}");
        }
        self.rows.push(row);
    }
}
