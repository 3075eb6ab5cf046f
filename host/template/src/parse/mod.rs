//! From text to syntax tree.

use crate::{
    Diagnostic, Mode, Template,
    ast::{Node, Span},
    diagnostic::Sources,
};

pub(crate) fn template(
    source: &str,
    mode: Mode,
    partials: &[(&str, &str)],
) -> Result<Template, Vec<Diagnostic>> {
    let sources = Sources::new(source, partials);
    let (start, end) = sources.unit(0);
    Ok(Template {
        sources,
        mode,
        names: Vec::new(),
        body: vec![Node::Text(Span { start, end })],
        partials: Vec::new(),
        groups: 0,
        literal: source.len(),
        warnings: Vec::new(),
    })
}
