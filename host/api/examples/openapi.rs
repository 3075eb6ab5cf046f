//! Prints the OpenAPI description, made from the endpoints: `cargo xtask codegen` writes
//! `host/api/openapi.json` with it.

#![expect(clippy::print_stdout, reason = "that is what it is for")]

fn main() {
    print!("{}", overture_api::document());
}
