//! `overture demo`: a campaign in the sandbox.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`people`] | who is in it, from a file |
//! | [`campaign`] | the three mails to them |
//! | [`world`] | virtual time |
//! | [`expected`], [`counted`] | what must come of it, and what came of it |
//! | [`story`] | what is printed of it |
//! | [`once`] | to its end on virtual time, checked |
//! | [`live`], [`folder`] | under way, and going on; where it lies |

mod campaign;
mod counted;
mod expected;
mod folder;
pub mod live;
pub mod once;
pub mod people;
mod story;
mod world;
