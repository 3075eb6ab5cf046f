//! What a rendering has left to spend.

use std::borrow::Cow;

use crate::Limits;

/// Why something could not be done, before it is known where.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The input doesn't fit.
    Failed(Cow<'static, str>),
    /// A limit is passed.
    Limit(String),
}

impl Trouble {
    pub(crate) fn failed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Failed(message.into())
    }
}

pub(crate) type Outcome<T> = Result<T, Trouble>;

/// Counts down. Every text and list is paid for before it is made.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: Limits,
    bytes: usize,
    iterations: usize,
    steps: usize,
    depth: usize,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            bytes: limits.bytes,
            iterations: limits.iterations,
            steps: limits.steps,
            depth: 0,
        }
    }

    /// Text is made.
    pub(crate) fn bytes(&mut self, count: usize) -> Outcome<()> {
        let (what, limit) = ("bytes of text", self.limits.bytes);
        spend(&mut self.bytes, count, limit, what)
    }

    /// Nodes are visited or items touched.
    pub(crate) fn steps(&mut self, count: usize) -> Outcome<()> {
        let (what, limit) = ("steps", self.limits.steps);
        spend(&mut self.steps, count, limit, what)
    }

    /// A loop's body is entered.
    pub(crate) fn iteration(&mut self) -> Outcome<()> {
        let (what, limit) = ("passes through loops", self.limits.iterations);
        spend(&mut self.iterations, 1, limit, what)
    }

    /// A body is entered; [`leave`](Self::leave) undoes it.
    pub(crate) fn enter(&mut self) -> Outcome<()> {
        self.depth += 1;
        if self.depth > self.limits.nesting {
            return Err(exceeded(self.limits.nesting, "blocks inside each other"));
        }
        Ok(())
    }

    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }
}

#[inline]
fn spend(left: &mut usize, count: usize, limit: usize, what: &str) -> Outcome<()> {
    match left.checked_sub(count) {
        Some(rest) => {
            *left = rest;
            Ok(())
        }
        None => Err(exceeded(limit, what)),
    }
}

#[cold]
fn exceeded(limit: usize, what: &str) -> Trouble {
    Trouble::Limit(format!("the template takes more than {limit} {what}"))
}
