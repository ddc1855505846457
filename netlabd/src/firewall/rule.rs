//! What one rule decides about a flow, as the kernel runs its expressions on registers (`nft_do_chain` in
//! `net/netfilter/nf_tables_core.c`).

use std::ops::ControlFlow;

use super::{
    flow::Flow,
    known::{Byte, Fit, REGISTERS, compare, load, within},
};
use crate::model::ruleset::{Expr, Rule, Set, Verdict};

/// What a rule does to a packet.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    Verdict(Verdict),
    /// A program decides.
    Queue,
}

/// What a rule decides about the flow at a hook, or parts of it. `sets` are those of the rule's table.
pub(super) fn decide<'a>(
    rule: &Rule,
    flow: &Flow,
    hook: u32,
    sets: &dyn Fn(&str) -> Option<&'a Set>,
) -> Vec<(Fit, Effect)> {
    let registers = [Byte::OPAQUE; REGISTERS];
    let mut run = Run { flow, hook, sets, registers, fit: Fit::All, branches: Vec::new() };
    for expr in &rule.exprs {
        match run.step(expr) {
            ControlFlow::Continue(fit) => run.fit = run.fit.max(fit),
            ControlFlow::Break(effect) => {
                run.branches.push((run.fit, effect));
                break;
            }
        }
        if run.fit == Fit::None {
            break;
        }
    }
    run.branches
}

/// A rule under way.
struct Run<'a, 'f> {
    flow: &'f Flow,
    hook: u32,
    sets: &'f dyn Fn(&str) -> Option<&'a Set>,
    registers: [Byte; REGISTERS],
    /// How much of the flow has come so far.
    fit: Fit,
    branches: Vec<(Fit, Effect)>,
}

impl Run<'_, '_> {
    /// How much of the flow passes an expression, or what ends the rule.
    fn step(&mut self, expr: &Expr) -> ControlFlow<Effect, Fit> {
        ControlFlow::Continue(match expr {
            Expr::Load { to, field } => match load(self.flow, self.hook, *field) {
                Some(bytes) => self.store(*to, bytes),
                None => Fit::None,
            },
            Expr::Constant { to, bytes } => self.store(*to, Byte::all(bytes)),
            Expr::Mask { from, to, mask, xor } => {
                let bytes = self.slice(*from, mask.len()).iter().zip(mask.iter().zip(xor));
                let bytes = bytes.map(|(byte, (mask, xor))| byte.masked(*mask, *xor)).collect();
                self.store(*to, bytes)
            }
            Expr::Compare { from, how, with } => compare(self.slice(*from, with.len()), *how, with),
            Expr::Range { from, negated, low, high } => {
                within(self.slice(*from, low.len()), low, high).negate(*negated)
            }
            Expr::Lookup { from, set, negated, loads } => {
                let found = self.lookup(*from, set);
                if *loads {
                    self.registers = [Byte::OPAQUE; REGISTERS];
                }
                found.negate(*negated)
            }
            Expr::State { bits, negated } if (self.flow.state() & bits != 0) == *negated => Fit::None,
            Expr::State { .. } | Expr::Nothing => Fit::All,
            Expr::Some(_) => Fit::Some,
            Expr::Other(_) => {
                self.registers = [Byte::OPAQUE; REGISTERS];
                Fit::Unsure
            }
            Expr::Verdict(verdict) => return ControlFlow::Break(Effect::Verdict(verdict.clone())),
            Expr::Reject => return ControlFlow::Break(Effect::Verdict(Verdict::Drop)),
            Expr::Queue => return ControlFlow::Break(Effect::Queue),
        })
    }

    /// Whether the key in a register is an element. In a map to verdicts, the elements that it may be are branches.
    fn lookup(&mut self, from: usize, set: &str) -> Fit {
        let found = (self.sets)(set).and_then(|set| set.elements.as_ref());
        let Some(elements) = found else { return Fit::Unsure };
        let key = &self.registers[from.min(REGISTERS)..];
        let mut best = Fit::None;
        for element in elements {
            let length = element.low.len().min(key.len());
            let this = within(&key[..length], &element.low, &element.high);
            if this != Fit::None
                && let Some(verdict) = &element.verdict
            {
                self.branches.push((self.fit.max(this), Effect::Verdict(verdict.clone())));
            }
            best = best.min(this);
        }
        best
    }

    fn store(&mut self, to: usize, bytes: Vec<Byte>) -> Fit {
        for (register, byte) in self.registers.iter_mut().skip(to).zip(bytes) {
            *register = byte;
        }
        Fit::All
    }

    fn slice(&self, from: usize, length: usize) -> &[Byte] {
        let from = from.min(REGISTERS);
        &self.registers[from..(from + length).min(REGISTERS)]
    }
}
