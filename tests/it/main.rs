//! Whole-system tests: the real binary, databases and mail servers.
