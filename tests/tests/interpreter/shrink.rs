//! Makes a program that fails smaller, as long as a smaller one fails too.

use super::program::{
    Body, End, Function, Given, Joined, Kind, Program, Scoped, Shield, Sleep, Statement, Then,
    Thing, Under,
};

/// The smallest program to be found that `fails`; `ends` are the moments worth trying in a program.
pub(crate) fn shrink(
    mut program: Program,
    ends: impl Fn(&Program) -> Vec<End>,
    fails: impl Fn(&Program) -> bool,
) -> Program {
    'smaller: loop {
        for candidate in smaller(&program) {
            for end in std::iter::once(program.end).chain(ends(&candidate)) {
                let candidate = Program { end, ..candidate.clone() };
                if fails(&candidate) {
                    program = candidate;
                    continue 'smaller;
                }
            }
        }
        return program;
    }
}

fn smaller(program: &Program) -> Vec<Program> {
    let mut all: Vec<_> = function(&program.main)
        .into_iter()
        .map(|main| Program { main, ..program.clone() })
        .collect();
    if program.under == Under::Run {
        all.push(Program { under: Under::Scope, ..program.clone() });
    }
    all
}

/// Lists with one item less, or one that is smaller.
fn list<T: Clone>(items: &[T], shrink: impl Fn(&T) -> Vec<T>, least: usize) -> Vec<Vec<T>> {
    let mut all = Vec::new();
    for n in 0..items.len() {
        if items.len() > least {
            let mut fewer = items.to_vec();
            fewer.remove(n);
            all.push(fewer);
        }
    }
    for (n, item) in items.iter().enumerate() {
        for smaller in shrink(item) {
            let mut list = items.to_vec();
            list[n] = smaller;
            all.push(list);
        }
    }
    all
}

fn empty(says: bool) -> Function {
    Function { says, body: Body::Statements(Vec::new()) }
}

fn is_empty(function: &Function) -> bool {
    matches!(&function.body, Body::Statements(statements) if statements.is_empty())
}

fn function(function: &Function) -> Vec<Function> {
    let says = function.says;
    let mut bodies = Vec::new();
    if !is_empty(function) {
        bodies.push(Body::Statements(Vec::new()));
    }
    match &function.body {
        Body::Statements(statements) => {
            bodies.extend(list(statements, statement, 0).into_iter().map(Body::Statements));
            // What a loop or a fallback holds, in its place; or the function that is called.
            for (n, statement) in statements.iter().enumerate() {
                let inside = match statement {
                    Statement::Loop(_, inside) => inside.clone(),
                    Statement::Await(_, _, Then::Fallback(inside)) => inside.clone(),
                    Statement::Await(_, Thing::Call(called), _) if called.says == says => {
                        bodies.push(called.body.clone());
                        continue;
                    }
                    _ => continue,
                };
                let mut statements = statements.clone();
                statements.splice(n..=n, inside);
                bodies.push(Body::Statements(statements));
            }
        }
        Body::Joined(join) => {
            bodies.extend(joined(join).into_iter().map(|join| Body::Joined(Box::new(join))));
            for thing in &join.branches {
                let alone = Statement::Await(join.id, thing.clone(), Then::Ignore);
                bodies.push(Body::Statements(vec![alone]));
            }
        }
    }
    bodies.into_iter().map(|body| Function { says, body }).collect()
}

fn joined(join: &Joined) -> Vec<Joined> {
    let mut all = Vec::new();
    if !is_empty(&join.after) {
        all.push(Joined { after: empty(join.after.says), ..join.clone() });
    }
    if !is_empty(&join.before) {
        all.push(Joined { before: empty(join.before.says), ..join.clone() });
    }
    let before = function(&join.before).into_iter();
    all.extend(before.map(|before| Joined { before, ..join.clone() }));
    for branches in list(&join.branches, thing_of_its_kind, usize::MAX) {
        all.push(Joined { branches, ..join.clone() });
    }
    for handlers in list(&join.handlers, function, usize::MAX) {
        all.push(Joined { handlers, ..join.clone() });
    }
    if join.kind == Kind::SelectUnit {
        let shape = join.shape.replacen("unit", "select", 1);
        let known = super::real_joined::SAYS.iter().find(|known| **known == shape);
        all.extend(known.map(|shape| Joined { kind: Kind::Select, shape, ..join.clone() }));
    }
    all
}

fn statement(statement: &Statement) -> Vec<Statement> {
    match statement {
        Statement::Fail => Vec::new(),
        Statement::Loop(times, body) => {
            let mut all: Vec<_> = list(body, self::statement, 1)
                .into_iter()
                .map(|body| Statement::Loop(*times, body))
                .collect();
            if *times > 1 {
                all.push(Statement::Loop(times - 1, body.clone()));
            }
            all
        }
        Statement::Fill(shields) => {
            list(shields, shield, 1).into_iter().map(Statement::Fill).collect()
        }
        Statement::Await(id, what, then) => {
            let mut all = Vec::new();
            match then {
                Then::Ignore => {}
                Then::Question => all.push(Then::Ignore),
                Then::Fallback(statements) => {
                    all.extend([Then::Ignore, Then::Question]);
                    all.extend(
                        list(statements, self::statement, 0).into_iter().map(Then::Fallback),
                    );
                }
            }
            let mut all: Vec<_> =
                all.into_iter().map(|then| Statement::Await(*id, what.clone(), then)).collect();
            all.extend(
                thing(what).into_iter().map(|what| Statement::Await(*id, what, then.clone())),
            );
            all
        }
    }
}

fn thing(thing: &Thing) -> Vec<Thing> {
    let mut all = thing_of_its_kind(thing);
    match thing {
        Thing::Scoped(scoped) => all.push(Thing::Call(scoped.function.clone())),
        Thing::Block(things) => {
            all.extend(list(things, self::thing, 1).into_iter().map(Thing::Block));
            if let [thing] = &things[..] {
                all.push(thing.clone());
            }
        }
        Thing::Shield(shield) => all.push(Thing::Call(shield.work.clone())),
        Thing::Call(Function { body: Body::Statements(statements), .. }) => {
            if let [Statement::Await(_, thing, _)] = &statements[..] {
                all.push(thing.clone());
            }
        }
        _ => {}
    }
    // Those stay in the statements of the function whose variable they use.
    let moved = |thing: &Thing| matches!(thing, Thing::Next | Thing::Drain(_));
    if !matches!(thing, Thing::Drain(_)) {
        all.retain(|thing| !moved(thing));
    }
    all
}

/// Smaller ones of the same type.
fn thing_of_its_kind(thing: &Thing) -> Vec<Thing> {
    match thing {
        Thing::Sleep(sleep) => {
            let mut all = Vec::new();
            if sleep.ticks > 1 {
                all.push(Sleep { ticks: 1, ..sleep.clone() });
                all.push(Sleep { ticks: sleep.ticks - 1, ..sleep.clone() });
            }
            if sleep.fails {
                all.push(Sleep { fails: false, ..sleep.clone() });
            }
            all.into_iter().map(Thing::Sleep).collect()
        }
        Thing::Call(called) => function(called).into_iter().map(Thing::Call).collect(),
        Thing::Shield(shielded) => shield(shielded).into_iter().map(Thing::Shield).collect(),
        Thing::Block(things) => {
            list(things, thing_of_its_kind, 1).into_iter().map(Thing::Block).collect()
        }
        Thing::Scoped(scoped) => function(&scoped.function)
            .into_iter()
            .map(|function| Thing::Scoped(Scoped { function, ..scoped.clone() }))
            .collect(),
        Thing::Drain(Given::Beside(beside)) => function(beside)
            .into_iter()
            .map(|function| Thing::Drain(Given::Beside(function)))
            .chain([Thing::Drain(Given::Reference)])
            .collect(),
        Thing::Next | Thing::Drain(_) => Vec::new(),
    }
}

fn shield(shield: &Shield) -> Vec<Shield> {
    let works = function(&shield.work);
    works.into_iter().map(|work| Shield { work, ..shield.clone() }).collect()
}
