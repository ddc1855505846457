//! Chains of our nftables table in the words of nft(8).

use crate::model::{
    LabName,
    nft::{Chain, Part, Rule},
};

/// The statements that make the table hold exactly these chains of a part; none take away others.
/// `lab`: on the host, where each lab has chains of its own.
pub(super) fn statements(part: Part, chains: &[Chain], lab: Option<&LabName>) -> Vec<String> {
    let name = |chain: &str| lab.map_or_else(|| chain.to_owned(), |lab| format!("{lab}-{chain}"));
    if chains.is_empty() {
        let all = |verb: &'static str| {
            part.chains().iter().map(move |chain| format!("{verb} chain inet netlab {}", name(chain)))
        };
        return all("flush").chain(all("delete")).collect();
    }
    let chain = |chain: &Chain| {
        let (name, declaration) = (name(chain.name), chain.declaration());
        format!("add chain inet netlab {name} {{ {declaration} }}; flush chain inet netlab {name}")
    };
    let rules = |chain: &Chain| {
        let name = name(chain.name);
        let line = |rule: &Rule| format!("add rule inet netlab {name} {rule}");
        chain.rules.iter().map(line).collect::<Vec<_>>()
    };
    let table = "add table inet netlab".to_owned();
    std::iter::once(table).chain(chains.iter().map(chain)).chain(chains.iter().flat_map(rules)).collect()
}

/// The statements after which a chain is not there, whether it was or not: adding what is there changes nothing.
pub(super) fn without(chain: &str) -> String {
    ["add", "flush", "delete"].map(|verb| format!("{verb} chain inet netlab {chain}")).join("; ")
}

/// The same as one would note it: a table for nft(8), without what it takes for granted.
pub(super) fn noted(chains: &[Chain]) -> String {
    let chain = |chain: &Chain| {
        let declaration = chain.declaration().replace(" policy accept;", "");
        let lines = std::iter::once(declaration).chain(chain.rules.iter().map(noted_rule));
        let lines = lines.map(|line| format!("    {line}\n")).collect::<Vec<_>>().concat();
        format!("  chain {} {{\n{lines}  }}\n", chain.name)
    };
    format!("table inet netlab {{\n{}}}", chains.iter().map(chain).collect::<Vec<_>>().concat())
}

fn noted_rule(rule: &Rule) -> String {
    Rule { counted: false, comment: None, ..rule.clone() }.to_string()
}
