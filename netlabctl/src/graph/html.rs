//! A page that holds the picture and nothing from elsewhere.

use super::{Topology, escape, svg};

/// Writes one page.
pub(super) fn write(topology: &Topology) -> String {
    let (name, description) = (escape(&topology.name), escape(&topology.description));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{name}</title>\n\
         <style>body {{ font-family: sans-serif; margin: 2em; }} svg {{ max-width: 100%; height: auto; }}</style>\n\
         </head>\n<body>\n<h1>{name}</h1>\n<p>{description}</p>\n{}</body>\n</html>\n",
        svg::write(topology)
    )
}
