//! A parsed template and what can be asked of it.

use serde::Serialize;

use crate::{
    Data, Diagnostic, Mode, RenderOptions,
    ast::Body,
    diagnostic::Sources,
    parse,
    render::{RenderError, Rendered, Renderer},
    spintax::{self, Variant},
};

/// A template: parsed once, rendered many times, from many threads.
#[derive(Debug)]
pub struct Template {
    pub(crate) sources: Sources,
    pub(crate) mode: Mode,
    /// Name of each slot.
    pub(crate) names: Vec<Box<str>>,
    pub(crate) body: Body,
    /// Bodies of the partials, in the order of `sources.units[1..]`.
    pub(crate) partials: Vec<Body>,
    /// How many spintax groups there are.
    pub(crate) groups: u32,
    /// Bytes of literal text, from which the first allocation of a rendering is guessed.
    pub(crate) literal: usize,
    pub(crate) warnings: Vec<Diagnostic>,
}

/// The variables that a template names (TPL-3), each list sorted and without doubles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Variables {
    /// Built-in merge tags, by their canonical names (TPL-1).
    pub builtin: Vec<String>,
    /// Custom fields, without `custom.`.
    pub custom: Vec<String>,
    /// Made by the template itself: `assign`, `capture`, loops, counters.
    pub assigned: Vec<String>,
    /// Those of `builtin` and `custom` that are written somewhere without a `default` filter and
    /// outside an `if` that asks for them, so that a prospect without them is parked (TPL-4).
    pub without_default: Vec<String>,
}

impl Template {
    /// Parses `source`.
    ///
    /// # Errors
    /// All errors of the template at once, in the order of their places (TPL-3). Warnings stand
    /// in [`Template::warnings`] when it parses, and among the errors when it doesn't.
    pub fn parse(source: &str, mode: Mode) -> Result<Self, Vec<Diagnostic>> {
        Self::parse_with_partials(source, mode, &[])
    }

    /// Parses `source` with a set of partials, by name, that `include` and `render` may use.
    /// The product gives none.
    ///
    /// # Errors
    /// As [`Template::parse`]; a finding in a partial says so.
    pub fn parse_with_partials(
        source: &str,
        mode: Mode,
        partials: &[(&str, &str)],
    ) -> Result<Self, Vec<Diagnostic>> {
        parse::template(source, mode, partials)
    }

    /// What works but is probably not as meant.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The mode it was parsed for.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The text that it was parsed from.
    pub fn source(&self) -> &str {
        let (start, end) = self.sources.unit(0);
        &self.sources.text[start as usize..end as usize]
    }

    /// The variables that it names.
    pub fn variables(&self) -> Variables {
        crate::check::variables(self)
    }

    /// How many different texts its spintax can make for one reader; `u64::MAX` when more. Of
    /// the branches of a condition, which exclude each other, the largest counts.
    pub fn combinations(&self) -> u64 {
        spintax::combinations(&self.body)
    }

    /// All the choices that its spintax allows, [`combinations`](Self::combinations) of them.
    pub fn variants(&self) -> impl Iterator<Item = Variant> + '_ {
        (0..self.combinations()).map(|n| self.variant(n))
    }

    /// Variant number `n`, taken modulo [`combinations`](Self::combinations).
    pub fn variant(&self, n: u64) -> Variant {
        spintax::variant(&self.body, self.groups, n)
    }

    /// Renders it. The same template, data and options give the same result.
    ///
    /// # Errors
    /// When a filter or comparison can't be done, a limit is passed, or the text is longer than
    /// the mode allows (TPL-4: the enrollment waits for the template to be fixed).
    pub fn render(
        &self,
        data: &dyn Data,
        options: &RenderOptions,
    ) -> Result<Rendered, RenderError> {
        Renderer::new(self, data, options, None).run()
    }

    /// Renders it with the choices of `variant` in place of the seed's.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render_variant(
        &self,
        variant: &Variant,
        data: &dyn Data,
        options: &RenderOptions,
    ) -> Result<Rendered, RenderError> {
        Renderer::new(self, data, options, Some(variant)).run()
    }
}
