//! A program as the Rust code that it stands for.

use super::program::{
    Body, End, Function, Given, How, Kind, Program, Scoped, Shield, Statement, Then, Thing, Under,
};

/// Code that means what the program means; who reads it needs to know the two futures.
pub(crate) fn print(program: &Program) -> String {
    let mut printer = Printer { functions: Vec::new() };
    let main = printer.call(&program.main, "f");
    let mut code = String::from(
        "// says(7, 12) is ready after 12 ms, and gives Result<(), Error>; mute(7, 12) gives Result<(), Foreign>.\n\
         // Error: From<Cancelled> + From<Foreign>, Foreign: From<Error>. (fails) gives an Err of its own.\n",
    );
    for function in &printer.functions {
        code += function;
        code += "\n";
    }
    code += &match program.under {
        Under::Scope => format!("{main}.with(&ctx).await\n"),
        Under::Run => format!("ctx.run({main}).await\n"),
    };
    code += &match program.end {
        End::Never => "// and nothing ends it\n".to_owned(),
        End::At(at) => format!("// with canceller.cancel() after {at} ms\n"),
        End::Deadline(at) => format!("// with a deadline of {at} ms\n"),
        End::AtEvent(n) => format!("// with canceller.cancel() at event {n}\n"),
    };
    code
}

struct Printer {
    functions: Vec<String>,
}

fn indented(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| format!("    {line}")).collect()
}

impl Printer {
    /// A call of a function, which is added to those of the program.
    fn call(&mut self, function: &Function, prefix: &str) -> String {
        let number = self.functions.len();
        self.functions.push(String::new());
        let name = format!("{prefix}{number}");
        let body = match &function.body {
            Body::Statements(statements) => {
                let mut lines = Vec::new();
                if statements.iter().any(|statement| matches!(statement, Statement::Fill(_))) {
                    lines.push("let mut all = Vec::new();".to_owned());
                }
                lines.extend(self.statements(statements));
                lines.push("Ok(())".to_owned());
                lines
            }
            Body::Joined(join) => {
                let things: Vec<_> = join.branches.iter().map(|thing| self.thing(thing)).collect();
                let id = join.id;
                let mut lines = Vec::new();
                if !matches!(&join.before.body, Body::Statements(none) if none.is_empty()) {
                    lines.push(format!("let _ = {}.await;", self.call(&join.before, "before")));
                }
                lines.extend(match join.kind {
                    Kind::Join => {
                        vec![format!("let _{id} = tokio::join!(biased; {});", things.join(", "))]
                    }
                    Kind::TryJoin => {
                        vec![format!(
                            "let _{id} = tokio::try_join!(biased; {});",
                            things.join(", ")
                        )]
                    }
                    Kind::Select | Kind::SelectUnit => {
                        let unit = join.kind == Kind::SelectUnit;
                        let (start, ask) = if unit { ("", "?") } else { ("let _ = ", "") };
                        let mut lines = vec![
                            format!("{start}tokio::select! {{ // {id}"),
                            "    biased;".to_owned(),
                        ];
                        for (thing, handler) in things.iter().zip(&join.handlers) {
                            let handler = self.call(handler, "handler");
                            lines.push(format!("    _ = {thing} => {handler}.await{ask},"));
                        }
                        lines.push("};".to_owned());
                        lines
                    }
                });
                lines.push(match &join.after.body {
                    Body::Statements(none) if none.is_empty() => "Ok(()) // in a call".to_owned(),
                    _ => format!("{}.await", self.call(&join.after, "after")),
                });
                lines
            }
        };
        let error = if function.says { "Error" } else { "Foreign" };
        let mut lines =
            vec!["#[propagate]".to_owned(), format!("async fn {name}() -> Result<(), {error}> {{")];
        lines.extend(indented(&body));
        lines.push("}".to_owned());
        self.functions[number] = lines.join("\n");
        format!("{name}()")
    }

    fn statements(&mut self, statements: &[Statement]) -> Vec<String> {
        statements.iter().flat_map(|statement| self.statement(statement)).collect()
    }

    fn statement(&mut self, statement: &Statement) -> Vec<String> {
        match statement {
            Statement::Fail => vec!["return Err(Own);".to_owned()],
            Statement::Fill(shields) => shields
                .iter()
                .map(|shield| format!("all.push({}.into_future());", self.shield(shield)))
                .collect(),
            Statement::Loop(times, body) => {
                let mut lines = vec![format!("for _ in 0..{times} {{")];
                lines.extend(indented(&self.statements(body)));
                lines.push("}".to_owned());
                lines
            }
            Statement::Await(id, thing, then) => {
                let thing = self.thing(thing);
                match then {
                    Then::Ignore => vec![format!("let _{id} = {thing}.await;")],
                    Then::Question => vec![format!("let _{id} = {thing}.await?;")],
                    Then::Fallback(statements) => {
                        let mut lines = vec![format!("if let Err(_{id}) = {thing}.await {{")];
                        lines.extend(indented(&self.statements(statements)));
                        lines.push("}".to_owned());
                        lines
                    }
                }
            }
        }
    }

    fn shield(&mut self, shield: &Shield) -> String {
        format!("ctx.shield(ms({}), {})", shield.limit, self.call(&shield.work, "work"))
    }

    fn thing(&mut self, thing: &Thing) -> String {
        match thing {
            Thing::Sleep(sleep) => {
                let (name, fails) = (
                    if sleep.says { "says" } else { "mute" },
                    if sleep.fails { " (fails)" } else { "" },
                );
                format!("{name}({}, {}){fails}", sleep.id, sleep.ticks * 4)
            }
            Thing::Call(function) => self.call(function, "f"),
            Thing::Block(things) => {
                let things: Vec<_> =
                    things.iter().map(|thing| format!("{}.await?;", self.thing(thing))).collect();
                format!("async {{ {} Ok::<(), Error>(()) }}", things.join(" "))
            }
            Thing::Shield(shield) => self.shield(shield),
            Thing::Scoped(Scoped { how, budget, function }) => {
                let call = self.call(function, "f");
                let ctx = format!("ctx.with_timeout(ms({budget}))");
                match how {
                    How::With => format!("{call}.with(&{ctx})"),
                    How::Scope => format!("{ctx}.scope({call})"),
                    How::Run => format!("{ctx}.run({call})"),
                    How::Named => format!("named({ctx}, {call})"),
                }
            }
            Thing::Next => "all.next()".to_owned(),
            Thing::Drain(given) => match given {
                Given::Value => "drain(take(&mut all))".to_owned(),
                Given::Reference => "drain(&mut all)".to_owned(),
                Given::Scope => "drain(&mut all).with(&ctx)".to_owned(),
                Given::Run => "ctx.run(drain(&mut all))".to_owned(),
                Given::Block => "async { drain(&mut all).await }".to_owned(),
                Given::Beside(function) => {
                    format!("join!(biased; drain(&mut all), {})", self.call(function, "f"))
                }
            },
        }
    }
}
