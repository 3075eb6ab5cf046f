//! Operations, jobs and the scheduler: what the product does.
