//! Leads a flow through the chains of a hook, as the kernel leads a packet.

use super::{
    flow::Flow,
    known::Fit,
    rule::{Effect, decide},
    text,
};
use crate::model::ruleset::{Base, Chain, Rule, Ruleset, Set, TableId, Verdict};

/// `NFPROTO_*` of linux/netfilter.h.
pub(super) const INET: u8 = 1;
pub(super) const IPV4: u8 = 2;
pub(super) const NETDEV: u8 = 5;
pub(super) const BRIDGE: u8 = 7;
pub(super) const IPV6: u8 = 10;

/// Chains one within the other, as many as the kernel allows (`NFT_JUMP_STACK_SIZE`).
const DEPTH: usize = 16;
/// Rules that are looked at for one flow in one base chain; whatever takes more is not judged.
const STEPS: usize = 200_000;

/// What drops a flow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Culprit {
    pub(super) table: TableId,
    /// The chain where the kernel's hook is.
    pub(super) base: String,
    pub(super) chain: String,
    /// The rule's handle and text; `None`: the base chain's policy.
    pub(super) rule: Option<(u64, String)>,
}

/// What becomes of a flow that is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) by: Culprit,
    /// A rule that lets some of it pass before.
    pub(super) except: Option<String>,
    /// A rule before that may let it pass, which cannot be told.
    pub(super) unsure: Option<String>,
}

/// What of a ruleset drops a flow: one entry for each base chain that does, in the order of the hooks.
pub(super) fn dropped(ruleset: &Ruleset, flow: &Flow) -> Vec<Dropped> {
    let mut all = Vec::new();
    let bases = || ruleset.chains.iter().filter_map(|(at, chain)| Some((at, chain.base.as_ref()?)));
    for hook in flow.hooks() {
        // Chains of other types only change packets, or see the first of each connection only.
        let mut passed: Vec<_> = bases()
            .filter(|((table, _), base)| base.kind == "filter" && passes(table.family, base, *hook, flow))
            .collect();
        passed.sort_by_key(|(_, base)| (base.devices.is_empty(), base.priority));
        for ((table, name), base) in passed {
            let mut walk = Walk { ruleset, flow, hook: *hook, table, steps: 0, except: None, unsure: None };
            let by = match walk.chain(name, 0, false) {
                End::Dropped(by) => by,
                End::On if base.drops => (name.clone(), None),
                End::On | End::Accepted => continue,
            };
            if walk.steps <= STEPS {
                let by = Culprit { table: table.clone(), base: name.clone(), chain: by.0, rule: by.1 };
                all.push(Dropped { by, except: walk.except, unsure: walk.unsure });
            }
        }
    }
    all
}

/// Whether a flow passes a base chain at a hook; the hook of a device comes with the first of the host.
fn passes(family: u8, base: &Base, at: u32, flow: &Flow) -> bool {
    /// `NF_NETDEV_INGRESS`, and `NF_INET_INGRESS` in family inet.
    const INGRESS: [(u8, u32); 2] = [(NETDEV, 0), (INET, 5)];
    if INGRESS.contains(&(family, base.hook)) {
        let first = flow.hooks().first() == Some(&at);
        return first && flow.from.as_ref().is_some_and(|from| base.devices.contains(&from.name));
    }
    base.hook == at && concerns(family, flow)
}

fn concerns(family: u8, flow: &Flow) -> bool {
    let bridged = flow.purpose == super::Purpose::Bridged;
    match family {
        BRIDGE => bridged,
        _ if bridged => false,
        INET => true,
        IPV4 => !flow.ipv6,
        IPV6 => flow.ipv6,
        _ => false,
    }
}

/// How a chain ends.
enum End {
    Accepted,
    /// The chain and rule that did it.
    Dropped((String, Option<(u64, String)>)),
    /// Nothing decided.
    On,
}

struct Walk<'a> {
    ruleset: &'a Ruleset,
    flow: &'a Flow,
    hook: u32,
    table: &'a TableId,
    steps: usize,
    except: Option<String>,
    unsure: Option<String>,
}

impl<'a> Walk<'a> {
    /// Leads the flow through a chain; `unsure`: it cannot be told whether it gets here.
    fn chain(&mut self, name: &str, depth: usize, unsure: bool) -> End {
        let Some(chain) = self.find(name).filter(|_| depth < DEPTH) else { return End::On };
        // Some of it went back already: what happens to the rest is not what happens to all.
        let mut some_returned = false;
        for rule in &chain.rules {
            self.steps += 1;
            if self.steps > STEPS {
                return End::Accepted;
            }
            for (fit, verdict) in decide(rule, self.flow, self.hook, &self.sets()) {
                let unsure = unsure || fit == Fit::Unsure;
                let end = match verdict {
                    Effect::Queue => {
                        self.passes(rule, Fit::Unsure, unsure);
                        End::Accepted
                    }
                    Effect::Verdict(Verdict::Continue) => continue,
                    Effect::Verdict(Verdict::Accept) => End::Accepted,
                    Effect::Verdict(Verdict::Drop) => {
                        End::Dropped((name.to_owned(), Some((rule.handle, text::rule(rule, self.sets())))))
                    }
                    Effect::Verdict(Verdict::Return) => {
                        if fit == Fit::All {
                            return End::On;
                        }
                        some_returned = true;
                        continue;
                    }
                    Effect::Verdict(Verdict::Jump(to)) => match self.chain(&to, depth + 1, unsure) {
                        End::On => continue,
                        end => end,
                    },
                    Effect::Verdict(Verdict::Goto(to)) => self.chain(&to, depth + 1, unsure),
                };
                match end {
                    End::Accepted if fit != Fit::All || some_returned => self.passes(rule, fit, unsure),
                    // Of a part that is dropped, nothing is said.
                    End::Dropped(_) | End::On if fit != Fit::All => {}
                    End::Dropped(_) if some_returned => return End::On,
                    end => return end,
                }
            }
        }
        End::On
    }

    fn find(&self, name: &str) -> Option<&'a Chain> {
        self.ruleset.chains.get(&(self.table.clone(), name.to_owned()))
    }

    fn sets(&self) -> impl Fn(&str) -> Option<&'a Set> + use<'a> {
        let (ruleset, table) = (self.ruleset, self.table);
        move |name| ruleset.sets.get(&(table.clone(), name.to_owned()))
    }

    fn passes(&mut self, rule: &Rule, fit: Fit, unsure: bool) {
        let unsure = unsure || fit == Fit::Unsure;
        let known = if unsure { &self.unsure } else { &self.except };
        if known.is_some() {
            return;
        }
        let words = Some(format!("rule {} `{}`", rule.handle, text::rule(rule, self.sets())));
        *(if unsure { &mut self.unsure } else { &mut self.except }) = words;
    }
}
