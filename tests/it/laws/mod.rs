//! The five laws of the specification, each in a file of its own, held by the whole product: the
//! program as a process, its API, its database. What the engine's tests show case by case is shown
//! here once from end to end; SAFE-3 under SIGKILL is in `kill`.

mod house;
mod safe_1;
mod safe_2;
mod safe_3;
mod safe_4;
mod safe_5;
