//! Pages of lists, and their tokens: opaque, so that what is listed may be ordered otherwise one day.

use netlab_proto::v1::LabResource;
use tonic::Status;

use super::status;
use crate::model::LabName;

/// Labs in a page of `ListLabs`: default and most.
const PAGE: (usize, usize) = (100, 1_000);
/// What a token begins with; another order would have another.
const BY_NAME: &str = "n1";

/// One page of all these labs, which are in order, and the token of the next.
///
/// # Errors
/// `INVALID_ARGUMENT` for a `token` that is none.
pub(super) fn of(
    all: Vec<LabResource>,
    size: u32,
    token: &str,
) -> Result<(Vec<LabResource>, String), Status> {
    let size = match size as usize {
        0 => PAGE.0,
        size => size.min(PAGE.1),
    };
    let last = last(token)?;
    let after = |lab: &LabResource| last.as_ref().is_none_or(|last| lab.name > *last);
    let mut labs: Vec<_> = all.into_iter().filter(after).take(size + 1).collect();
    let more = labs.len() > size;
    labs.truncate(size);
    let next = labs.last().filter(|_| more).map(|lab| self::token(&lab.name));
    Ok((labs, next.unwrap_or_default()))
}

/// The token of the page after a lab.
fn token(last: &str) -> String {
    last.bytes().fold(BY_NAME.to_owned(), |token, byte| token + &format!("{byte:02x}"))
}

/// The last lab of the page before; `None` for the first page.
///
/// # Errors
/// `INVALID_ARGUMENT` for what is no token.
fn last(token: &str) -> Result<Option<String>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let name = token.strip_prefix(BY_NAME).and_then(name);
    name.map(Some).ok_or_else(|| {
        status::invalid("page_token", "was not given out by ListLabs; leave it empty for the first page")
    })
}

fn name(digits: &str) -> Option<String> {
    let byte = |pair: &[u8]| {
        let digit = |at: usize| pair.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        u8::try_from(digit(0)? * 16 + digit(1)?).ok()
    };
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(byte).collect();
    let name = String::from_utf8(bytes?).ok()?;
    // Only names of labs were ever put into one.
    name.parse::<LabName>().is_ok().then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_and_nothing_else_is_one() {
        assert_eq!(last(&token("vxlan-1")).unwrap().as_deref(), Some("vxlan-1"));
        assert_eq!(last("").unwrap(), None);
        for bad in ["garbage", "n1", "n1zz", "n17", "n1c3", "n14142", "vxlan", "n1+5", "\u{e9}"] {
            assert_eq!(last(bad).unwrap_err().code(), tonic::Code::InvalidArgument, "{bad}");
        }
    }
}
