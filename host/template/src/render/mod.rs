//! From syntax tree and data to text.

use crate::{Data, Diagnostic, RenderOptions, Template, Variant, ast::Node};

/// A rendered text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// Variables that were written without having a value or a default, as the template names
    /// them, each once (TPL-4). Empty when the mode doesn't ask.
    pub missing: Vec<String>,
    /// The spintax choices that were taken, in the order of the text.
    pub choices: Vec<Choice>,
}

/// A spintax choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Choice {
    /// Number of the group, from 0 through the template.
    pub group: u32,
    /// Number of the option, from 0.
    pub option: u32,
}

/// Why a template could not be rendered (TPL-4: the enrollment waits for the template to be
/// fixed).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A filter, comparison or tag got something that it can't work with.
    #[error("{0}")]
    Failed(Box<Diagnostic>),
    /// A limit of [`Limits`](crate::Limits) was passed.
    #[error("{0}")]
    Limit(Box<Diagnostic>),
    /// The text is longer than the mode allows.
    #[error("the text has {length} characters, {max} are allowed: shorten it")]
    TooLong {
        /// Characters of the text.
        length: usize,
        /// Characters allowed.
        max: usize,
    },
}

pub(crate) struct Renderer<'a> {
    template: &'a Template,
}

impl<'a> Renderer<'a> {
    pub(crate) fn new(
        template: &'a Template,
        _data: &'a dyn Data,
        _options: &'a RenderOptions,
        _variant: Option<&'a Variant>,
    ) -> Self {
        Self { template }
    }

    pub(crate) fn run(self) -> Result<Rendered, RenderError> {
        let mut text = String::new();
        for node in &self.template.body {
            if let Node::Text(span) = node {
                text.push_str(span.of(&self.template.sources.text));
            }
        }
        Ok(Rendered {
            text,
            missing: Vec::new(),
            choices: Vec::new(),
        })
    }
}
