//! What a shard's result says of how it was run: merging compares it.
//!
//! Must not know: what came of it.

use crate::{
    base::Digest,
    cli::args,
    explore::{Shard, outcome::ShardOf},
};

/// What a result says of the shard that it is.
pub(super) fn told(shard: Shard, args: &args::Run) -> ShardOf {
    let seeds = args.seeds.map_or_else(|| "as scenarios say".to_owned(), |n| n.to_string());
    let settings = [
        ("--strategy", args.strategy.to_string()),
        ("--seeds", seeds),
        ("--coverage", args.coverage.to_string()),
        ("--always-replay", args.always_replay.to_string()),
        ("--twin", args.twin.to_string()),
        ("--shrink-runs", args.shrink_runs.to_string()),
    ];
    ShardOf {
        build: build(),
        index: shard.index(),
        of: shard.of(),
        onceproof: env!("CARGO_PKG_VERSION").to_owned(),
        settings: settings.map(|(name, value)| (name.to_owned(), value)).into(),
    }
}

/// A fingerprint of this program: shards of one build have the same, whatever machine they ran on.
fn build() -> Option<String> {
    let program = std::fs::read(std::env::current_exe().ok()?).ok()?;
    Some(Digest::of(&program).to_string())
}
