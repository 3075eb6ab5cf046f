//! Spintax `{a|b|c}` (TPL-5): found among the nodes of a body, counted, enumerated.
//!
//! It is part of the parse: a merged value is never looked at, so it can't spin.

use crate::ast::{Body, Node};

/// One choice in every spintax group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant(pub(crate) Vec<u32>);

/// How many texts the groups of a body make for one reader, saturating.
pub(crate) fn combinations(body: &Body) -> u64 {
    body.iter().map(of_node).fold(1, u64::saturating_mul)
}

fn of_node(node: &Node) -> u64 {
    match node {
        Node::Spin(spin) => spin
            .options
            .iter()
            .map(combinations)
            .fold(0, u64::saturating_add),
        Node::If(tag) => tag
            .branches
            .iter()
            .map(|b| combinations(&b.body))
            .max()
            .unwrap_or(1),
        Node::Case(tag) => tag
            .arms
            .iter()
            .map(|(_, body)| combinations(body))
            .max()
            .unwrap_or(1),
        Node::For(tag) | Node::TableRow(tag) => {
            combinations(&tag.body).max(combinations(&tag.otherwise))
        }
        Node::Capture(_, body) | Node::IfChanged(body) | Node::Group(body) => combinations(body),
        _ => 1,
    }
}

/// The choices of variant number `n`.
pub(crate) fn variant(body: &Body, groups: u32, n: u64) -> Variant {
    let mut choices = vec![0; groups as usize];
    decode(body, n, &mut choices);
    Variant(choices)
}

/// Reads `n` as a number in mixed base, one digit a node.
fn decode(body: &Body, mut n: u64, choices: &mut [u32]) {
    for node in body {
        let base = of_node(node).max(1);
        let digit = n % base;
        n /= base;
        match node {
            Node::Spin(spin) => {
                let mut left = digit;
                for (option, body) in spin.options.iter().enumerate() {
                    let size = combinations(body);
                    if left < size {
                        choices[spin.index as usize] = option as u32;
                        decode(body, left, choices);
                        break;
                    }
                    left -= size;
                }
            }
            Node::If(tag) => tag
                .branches
                .iter()
                .for_each(|b| decode(&b.body, digit, choices)),
            Node::Case(tag) => tag.arms.iter().for_each(|(_, b)| decode(b, digit, choices)),
            Node::For(tag) | Node::TableRow(tag) => {
                decode(&tag.body, digit, choices);
                decode(&tag.otherwise, digit, choices);
            }
            Node::Capture(_, body) | Node::IfChanged(body) | Node::Group(body) => {
                decode(body, digit, choices);
            }
            _ => {}
        }
    }
}
