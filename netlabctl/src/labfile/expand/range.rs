//! Ranges in names: `leaf[1-6]`, `h[01-12]`, `[a,b]`.

/// One of the names that a name with ranges stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// The name.
    pub(super) name: String,
    /// What each range is in it, for `{1}`, `{2}` and so on.
    pub(super) values: Vec<String>,
}

/// Whether a name has ranges.
pub(super) fn has(text: &str) -> bool {
    text.contains('[')
}

/// All names that a name stands for, those of the last range first; at most `most`.
///
/// # Errors
/// What is wrong with it, and what to write.
pub(super) fn members(text: &str, most: usize) -> Result<Vec<Member>, String> {
    let mut all = vec![Member { name: String::new(), values: Vec::new() }];
    let mut rest = text;
    let mut written = Vec::new();
    while let Some((before, after)) = rest.split_once('[') {
        let (inner, after) = after
            .split_once(']')
            .ok_or_else(|| format!("{text:?}: a [ without its ]; write a range such as [1-3]"))?;
        written.push((before, choices(inner, most).map_err(|why| format!("{text:?}: {why}"))?));
        rest = after;
    }
    let count = written.iter().fold(1_usize, |count, (_, choices)| count.saturating_mul(choices.len()));
    if count > most {
        return Err(format!("{text:?} stands for {count} names; at most {most} are allowed"));
    }
    for (before, choices) in written {
        let longer = |member: &Member, choice: &String| {
            let values = member.values.iter().chain([choice]).cloned().collect();
            Member { name: format!("{}{before}{choice}", member.name), values }
        };
        all =
            all.iter().flat_map(|member| choices.iter().map(move |choice| longer(member, choice))).collect();
    }
    for member in &mut all {
        member.name.push_str(rest);
    }
    Ok(all)
}

fn choices(inner: &str, most: usize) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for item in inner.split(',').map(str::trim) {
        if item.is_empty() {
            return Err(format!("[{inner}] lacks a value; write a range such as [1-3] or [a,b]"));
        }
        if item.contains(['{', '}']) {
            return Err(format!(
                "[{inner}]: {item} is not known; a parameter is declared below `parameters`"
            ));
        }
        match item.split_once('-') {
            Some((first, last)) if is_number(first) && is_number(last) => {
                numbers(first, last, most, &mut all)?;
            }
            Some((first, last)) if is_letter(first) && is_letter(last) => {
                if first > last {
                    return Err(format!("[{item}] runs backwards; write [{last}-{first}]"));
                }
                let (first, last) = (first.as_bytes()[0], last.as_bytes()[0]);
                all.extend((first..=last).map(|letter| char::from(letter).to_string()));
            }
            _ => all.push(item.to_owned()),
        }
        if all.len() > most {
            return Err(format!("[{inner}] has more than {most} values, the most"));
        }
    }
    Ok(all)
}

fn numbers(first: &str, last: &str, most: usize, all: &mut Vec<String>) -> Result<(), String> {
    let number = |text: &str| text.parse::<u32>().map_err(|_| format!("{text} is too large a number"));
    let (from, to) = (number(first)?, number(last)?);
    if from > to {
        return Err(format!("[{first}-{last}] runs backwards; write [{last}-{first}]"));
    }
    if (to - from) as usize >= most {
        return Err(format!(
            "[{first}-{last}] has {} values; at most {most} are allowed",
            u64::from(to - from) + 1
        ));
    }
    // As many digits as the first is written with.
    let width = if first.starts_with('0') { first.len() } else { 0 };
    all.extend((from..=to).map(|number| format!("{number:0width$}")));
    Ok(())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_letter(text: &str) -> bool {
    text.len() == 1 && text.bytes().all(|b| b.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        members(text, 4096).unwrap().into_iter().map(|member| member.name).collect()
    }

    #[test]
    fn ranges_stand_for_names() {
        assert_eq!(names("leaf[1-3]"), ["leaf1", "leaf2", "leaf3"]);
        assert_eq!(names("h[08-11]x"), ["h08x", "h09x", "h10x", "h11x"]);
        assert_eq!(names("[a,b]"), ["a", "b"]);
        assert_eq!(names("r[a-c,7]"), ["ra", "rb", "rc", "r7"]);
        assert_eq!(names("h[1-2]-[1-2]"), ["h1-1", "h1-2", "h2-1", "h2-2"]);
        assert_eq!(names("plain"), ["plain"]);
        assert_eq!(members("h[1-2]-[5-5]", 9).unwrap()[1].values, ["2", "5"]);
    }

    #[test]
    fn ranges_are_bounded() {
        let told = |text| members(text, 4096).unwrap_err();
        assert_eq!(
            told("x[1-4294967295]"),
            "\"x[1-4294967295]\": [1-4294967295] has 4294967295 values; at most 4096 are allowed"
        );
        assert_eq!(
            told("x[1-4096][1-4096][1-4096][1-4096][1-4096][1-4096]"),
            format!(
                "\"x[1-4096][1-4096][1-4096][1-4096][1-4096][1-4096]\" stands for {} names; at most 4096 are allowed",
                usize::MAX
            )
        );
        assert!(members("x[1-4096]", 4096).is_ok());
    }
}
