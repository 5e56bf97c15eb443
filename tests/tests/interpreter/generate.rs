//! Random programs.

use super::program::{
    Body, End, Function, Given, How, Id, Joined, Kind, Program, Scoped, Shield, Sleep, Statement,
    Then, Thing, Under,
};
use super::real_joined::{MUTE, SAYS};

pub(crate) struct Generator {
    random: fastrand::Rng,
    ids: Id,
}

pub(crate) fn program(seed: u64) -> Program {
    let mut generator = Generator { random: fastrand::Rng::with_seed(seed), ids: 0 };
    let depth = generator.random.usize(1..=4);
    Program {
        main: generator.function(true, depth),
        under: if generator.random.bool() { Under::Scope } else { Under::Run },
        end: End::Never,
    }
}

impl Generator {
    fn id(&mut self) -> Id {
        self.ids += 1;
        self.ids
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.random.u32(0..n) == 0
    }

    fn function(&mut self, says: bool, depth: usize) -> Function {
        let shapes = if says { SAYS } else { MUTE };
        if depth > 0 && self.one_in(3) {
            let shape = shapes[self.random.usize(0..shapes.len())];
            let joined = self.joined(shape, says, depth - 1);
            return Function { says, body: Body::Joined(Box::new(joined)) };
        }
        let count = self.random.usize(if depth > 1 { 1..=4 } else { 0..=3 });
        Function { says, body: Body::Statements(self.statements(count, depth)) }
    }

    fn statements(&mut self, count: usize, depth: usize) -> Vec<Statement> {
        (0..count).flat_map(|_| self.statement(depth)).collect()
    }

    fn statement(&mut self, depth: usize) -> Vec<Statement> {
        match self.random.u32(0..16) {
            0 if depth > 0 => {
                let times = if self.one_in(3) { 12 } else { self.random.u8(2..4) };
                let count = self.random.usize(1..3);
                vec![Statement::Loop(times, self.statements(count, depth - 1))]
            }
            1 if self.one_in(2) => vec![Statement::Fail],
            2 if depth > 0 => {
                let shields =
                    (0..self.random.usize(1..4)).map(|_| self.shield(depth - 1)).collect();
                let mut statements =
                    vec![Statement::Fill(shields), self.awaited(Thing::Next, depth)];
                if self.one_in(2) {
                    statements.extend(self.statement(0));
                }
                let rest = match self.random.u32(0..9) {
                    0..3 => Thing::Next,
                    3 => Thing::Drain(Given::Value),
                    4 => Thing::Drain(Given::Reference),
                    5 => Thing::Drain(Given::Scope),
                    6 => Thing::Drain(Given::Run),
                    7 => Thing::Drain(Given::Block),
                    _ => Thing::Drain(Given::Beside(self.function(true, depth - 1))),
                };
                statements.push(self.awaited(rest, depth));
                statements
            }
            _ => {
                let thing = self.thing(depth);
                vec![self.awaited(thing, depth)]
            }
        }
    }

    fn awaited(&mut self, thing: Thing, depth: usize) -> Statement {
        let then = match self.random.u32(0..3) {
            0 => Then::Ignore,
            1 => Then::Question,
            _ => {
                let count = self.random.usize(0..3);
                Then::Fallback(self.statements(count, depth.saturating_sub(1)))
            }
        };
        Statement::Await(self.id(), thing, then)
    }

    fn thing(&mut self, depth: usize) -> Thing {
        let says = !self.one_in(4);
        match self.random.u32(0..if depth == 0 { 3 } else { 12 }) {
            0..3 => Thing::Sleep(self.sleep(says)),
            3..7 => Thing::Call(self.function(says, depth - 1)),
            7..9 => Thing::Shield(self.shield(depth - 1)),
            9 => {
                let things = (0..self.random.usize(1..3)).map(|_| match self.random.bool() {
                    true => Thing::Sleep(self.sleep(says)),
                    false => Thing::Call(self.function(says, depth - 1)),
                });
                Thing::Block(things.collect())
            }
            _ => {
                let how = [How::With, How::Scope, How::Run, How::Named][self.random.usize(0..4)];
                let budget = self.random.u32(0..12) * 4 + 1;
                let function = self.function(says, depth - 1);
                Thing::Scoped(Scoped { how, budget, function })
            }
        }
    }

    fn sleep(&mut self, says: bool) -> Sleep {
        let ticks = if self.one_in(4) { 0 } else { self.random.u32(1..6) };
        Sleep { id: self.id(), ticks, says, fails: self.one_in(8) }
    }

    fn shield(&mut self, depth: usize) -> Shield {
        let limit = if self.one_in(3) { self.random.u32(0..4) } else { self.random.u32(4..20) };
        Shield { limit: limit * 4 + 3, work: self.function(true, depth) }
    }

    fn joined(&mut self, shape: &'static str, says: bool, depth: usize) -> Joined {
        let id = self.id();
        let mut joined = Joined {
            id,
            kind: Kind::of(shape),
            shape,
            before: Function { says, body: Body::Statements(Vec::new()) },
            branches: Vec::new(),
            handlers: Vec::new(),
            after: Function { says, body: Body::Statements(Vec::new()) },
        };
        for letter in joined.letters().chars() {
            joined.branches.push(match letter {
                'c' => Thing::Call(self.function(true, depth)),
                'm' => Thing::Call(self.function(false, depth)),
                'f' => Thing::Sleep(self.sleep(true)),
                'g' => Thing::Sleep(self.sleep(false)),
                's' => Thing::Shield(self.shield(depth)),
                _ => Thing::Block(vec![Thing::Call(self.function(true, depth))]),
            });
            if matches!(joined.kind, Kind::Select | Kind::SelectUnit) {
                let count = self.random.usize(0..3);
                let body = Body::Statements(self.statements(count, 0));
                joined.handlers.push(Function { says: true, body });
            }
        }
        if self.one_in(3) {
            joined.before = self.function(says, 0);
        }
        if self.one_in(2) {
            joined.after = self.function(says, 0);
        }
        joined
    }
}
