//! Chains of our nftables table in the words of nft(8).

use crate::model::{
    LabName,
    nft::{Chain, Mappings, Rule, mappings_of},
};

/// The statements that make the table hold exactly these chains of a part. `lab`: on the host, where each lab has chains
/// of its own. `there`: chains of the part that are there and go unless they are wanted.
pub(super) fn statements(chains: &[Chain], lab: Option<&LabName>, there: &[&str]) -> Vec<String> {
    let name = |chain: &str| lab.map_or_else(|| chain.to_owned(), |lab| format!("{lab}-{chain}"));
    let is_wanted = |name: &&&str| chains.iter().any(|chain| chain.name == **name);
    let gone: Vec<String> = there.iter().filter(|name| !is_wanted(name)).map(|chain| name(chain)).collect();
    let all = |verb: &'static str| gone.iter().map(move |name| format!("{verb} chain inet netlab {name}"));
    // Nothing may look into a map that goes.
    let mapped =
        there.contains(&Mappings::CHAIN).then(|| format!("delete map inet netlab {}", Mappings::NAME));
    let without = all("flush").chain(all("delete")).chain(mapped);
    if chains.is_empty() {
        return without.collect();
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
    let map = mappings_of(chains).map(|map| format!("add map inet netlab {map} {{ {} }}", map.declaration()));
    let declared = std::iter::once(table).chain(chains.iter().map(chain));
    declared.chain(without).chain(map).chain(chains.iter().flat_map(rules)).collect()
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
    let map = mappings_of(chains)
        .map(|map| format!("  map {map} {{\n    {}\n  }}\n", map.declaration().replace("; ", ";\n    ")));
    let map = map.unwrap_or_default();
    format!("table inet netlab {{\n{map}{}}}", chains.iter().map(chain).collect::<Vec<_>>().concat())
}

fn noted_rule(rule: &Rule) -> String {
    Rule { counted: false, comment: None, ..rule.clone() }.to_string()
}
