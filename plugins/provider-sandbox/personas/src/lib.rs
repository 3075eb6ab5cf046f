//! Who lives in the sandbox (OPS-6), and how they answer a mail.
//!
//! Pure and without dependencies: the plugin acts it out, and a demo or a test computes from it
//! what must have happened in the end. Who somebody is, what they do with which mail, when and in
//! which words, depends on seed and address alone, so that counts can be known before anything is
//! sent and a run can be repeated.
//!
//! A [`Persona`] is what somebody does with a mail, a [`Behaviour`] what they do with one mail after
//! the other: `open` the same with each, `ooo:6, reply` a notice of absence for six days to the
//! first, a reply to the second, and nothing after.
//!
//! Without a behaviour of their own, the address says who it is: what stands before the first `+`,
//! `.`, `-`, `_` or digit, as in `ooo@example.com`, `reply+ada@example.com`, `bounce7@example.com`. A
//! later piece may name a language (`reply.ada.de@example.com`). Everybody else is somebody by
//! chance, mostly silent.

mod behaviour;
mod chance;
mod language;
mod persona;

pub use behaviour::{Act, BadBehaviour, Behaviour, LONGEST_ABSENCE};
pub use chance::Chance;
pub use language::Language;
pub use persona::{Outcome, Persona, Reaction, UnknownPersona, What};

#[cfg(test)]
mod tests;
