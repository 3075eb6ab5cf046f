//! The only way out for HTTP: resolver, address policy, client.
