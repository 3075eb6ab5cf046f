//! Makes one plugin file of a core module and its plugin.toml.
