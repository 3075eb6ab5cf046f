//! Master key, envelope encryption, password and token hashes.
