//! Planted bugs of `OrderOrchestrator`.
