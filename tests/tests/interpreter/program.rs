//! The language of the random programs: what `#[propagate]` code is made of, as a tree.
//!
//! Every moment at which something may happen has a residue of its own modulo four milliseconds, so that nothing comes
//! at the same time by chance: what is awaited takes a multiple of four, a budget one more, the end two more, the limit
//! of a shield three more.

/// What a name in the log stands for: unique in a program.
pub(crate) type Id = u16;

/// What an await gives: both interpreters say it in these words.
pub(crate) type Value = Result<(), Failure>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The program's own error.
    Own,
    /// The end of a context.
    Cancelled,
}

#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) main: Function,
    pub(crate) under: Under,
    pub(crate) end: End,
}

/// How `main` is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Under {
    /// `main().with(&ctx)`
    Scope,
    /// `ctx.run(main())`
    Run,
}

/// When the context of the whole program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Never,
    /// Cancelled by somebody else, after so many milliseconds.
    At(u32),
    /// By its deadline.
    Deadline(u32),
    /// Cancelled in the middle of a poll: as soon as so many events were noted.
    AtEvent(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Function {
    /// Whether its return type can say `Cancelled`.
    pub(crate) says: bool,
    pub(crate) body: Body,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Statements(Vec<Statement>),
    /// A function around one `join!`, `try_join!` or `select!`.
    Joined(Box<Joined>),
}

#[derive(Clone, Debug)]
pub(crate) enum Statement {
    /// `thing.await`, and what becomes of its value.
    Await(Id, Thing, Then),
    /// `for _ in 0..times { .. }`
    Loop(u8, Vec<Statement>),
    /// Adds shields to `all`, a variable of the function.
    Fill(Vec<Shield>),
    /// `return Err(Own)`
    Fail,
}

#[derive(Clone, Debug)]
pub(crate) enum Then {
    /// `let _ = thing.await;`
    Ignore,
    /// `thing.await?;`
    Question,
    /// `if let Err(_) = thing.await { .. }`
    Fallback(Vec<Statement>),
}

impl Then {
    pub(crate) fn asks(&self) -> bool {
        matches!(self, Then::Question)
    }
}

/// What is awaited.
#[derive(Clone, Debug)]
pub(crate) enum Thing {
    Sleep(Sleep),
    Call(Function),
    /// An async block that awaits one thing after the other, with `?`.
    Block(Vec<Thing>),
    Shield(Shield),
    Scoped(Scoped),
    /// `all.next().await`: the first of the shields in `all` that is ready.
    Next,
    /// The same as long as there is one, in a function that is given `all`.
    Drain(Given),
}

/// A foreign future.
#[derive(Clone, Debug)]
pub(crate) struct Sleep {
    pub(crate) id: Id,
    /// In units of four milliseconds; 0 is ready at once.
    pub(crate) ticks: u32,
    pub(crate) says: bool,
    pub(crate) fails: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Shield {
    /// In milliseconds.
    pub(crate) limit: u32,
    pub(crate) work: Function,
}

/// A function under a context of its own.
#[derive(Clone, Debug)]
pub(crate) struct Scoped {
    pub(crate) how: How,
    /// In milliseconds.
    pub(crate) budget: u32,
    pub(crate) function: Function,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// `f().with(&ctx)`
    With,
    /// `ctx.scope(f())`
    Scope,
    /// `ctx.run(f())`
    Run,
    /// `f(ctx)`, a function that names its context.
    Named,
}

/// How a function is given `all`.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    /// `drain(take(&mut all))`
    Value,
    /// `drain(&mut all)`
    Reference,
    /// `drain(&mut all).with(&Ctx::current())`
    Scope,
    /// `Ctx::current().run(drain(&mut all))`
    Run,
    /// `async { drain(&mut all).await }`
    Block,
    /// `join!(drain(&mut all), f())`
    Beside(Function),
}

#[derive(Clone, Debug)]
pub(crate) struct Joined {
    pub(crate) id: Id,
    pub(crate) kind: Kind,
    /// Its name in `real_joined.rs`, which ends with one letter a branch.
    pub(crate) shape: &'static str,
    /// What the function calls first; it does not look at its value.
    pub(crate) before: Function,
    pub(crate) branches: Vec<Thing>,
    /// Of a `select!`, one a branch.
    pub(crate) handlers: Vec<Function>,
    /// What the function calls last.
    pub(crate) after: Function,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Join,
    TryJoin,
    /// Its value is that of the handler's call.
    Select,
    /// Its value cannot say `Cancelled`: the handlers' calls have a `?`.
    SelectUnit,
}

impl Joined {
    pub(crate) fn letters(&self) -> &'static str {
        self.shape.rsplit('_').next().unwrap_or_default()
    }
}

impl Kind {
    pub(crate) fn of(shape: &str) -> Kind {
        match shape.trim_start_matches("mute_") {
            shape if shape.starts_with("try_join") => Kind::TryJoin,
            shape if shape.starts_with("select") => Kind::Select,
            shape if shape.starts_with("unit") => Kind::SelectUnit,
            _ => Kind::Join,
        }
    }
}

impl Thing {
    /// Whether the type of its value can say `Cancelled`.
    pub(crate) fn says(&self) -> bool {
        match self {
            Thing::Sleep(sleep) => sleep.says,
            Thing::Call(function) => function.says,
            Thing::Scoped(Scoped { how: How::Run, .. }) => true,
            Thing::Scoped(scoped) => scoped.function.says,
            Thing::Block(_) | Thing::Shield(_) | Thing::Drain(_) => true,
            Thing::Next => false,
        }
    }

    /// Whether it is exempt from the rules of leaves.
    pub(crate) fn is_shield(&self) -> bool {
        matches!(self, Thing::Shield(_))
    }
}

/// Where a function stands in its statements.
pub(crate) struct Cursor<'a>(Vec<(&'a [Statement], usize, u8)>);

impl<'a> Cursor<'a> {
    pub(crate) fn new(statements: &'a [Statement]) -> Self {
        Cursor(vec![(statements, 0, 1)])
    }

    /// The next statement that is not a loop.
    pub(crate) fn next(&mut self) -> Option<&'a Statement> {
        loop {
            let (statements, at, times) = self.0.last_mut()?;
            match statements.get(*at) {
                Some(Statement::Loop(times, body)) => {
                    *at += 1;
                    self.0.push((body, 0, *times));
                }
                Some(statement) => {
                    *at += 1;
                    return Some(statement);
                }
                None if *times > 1 => (*at, *times) = (0, *times - 1),
                None => {
                    self.0.pop();
                }
            }
        }
    }

    /// Goes on with what a statement says about the value that it has got.
    pub(crate) fn then(&mut self, value: Value, then: &'a Then) {
        if let (Err(_), Then::Fallback(statements)) = (value, then) {
            self.0.push((statements, 0, 1));
        }
    }
}
