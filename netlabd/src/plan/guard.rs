//! What keeps a lab apart on the host, in the words of nft(8).

use crate::model::{Guard, GuardChain, GuardRule, LabName};

/// The statements that make the lab's chains hold exactly the rules of its guard; none takes the chains away.
pub(super) fn statements(guard: Option<&Guard>, lab: &LabName) -> Vec<String> {
    let names = GuardChain::ALL.map(|chain| (chain, chain.name(lab)));
    let Some(guard) = guard else {
        let all = |verb: &'static str| {
            names.iter().rev().map(move |(_, name)| format!("{verb} chain inet netlab {name}"))
        };
        return all("flush").chain(all("delete")).collect();
    };
    let chain = |(chain, name): &(GuardChain, String)| {
        let kind = chain.hook().map_or_else(String::new, |hook| {
            format!(" {{ type filter hook {hook} priority filter; policy accept; }}")
        });
        format!("add chain inet netlab {name}{kind}; flush chain inet netlab {name}")
    };
    let rule = |rule: &GuardRule| format!("add rule inet netlab {} {}", rule.chain.name(lab), rule.rule);
    let table = "add table inet netlab".to_owned();
    let rules = guard.rules(lab);
    std::iter::once(table).chain(names.iter().map(chain)).chain(rules.iter().map(rule)).collect()
}
