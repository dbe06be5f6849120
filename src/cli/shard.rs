//! Which shard `run` makes: as it is said, or as the variables of CI systems and Kubernetes say.
//!
//! Must not know: how a shard is run.

use std::str::FromStr;

use super::exit::Failure;
use crate::{base::printable::printable, explore::Shard};

/// What `--shard` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShardArg {
    /// `2/4`
    This(Shard),
    /// `auto`, and `auto/4`
    Auto(Option<u64>),
}

impl FromStr for ShardArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hint = "expected a shard and how many there are, such as 2/4, or auto, or auto/4";
        let (index, of) = match text.split_once('/') {
            None if text == "auto" => return Ok(Self::Auto(None)),
            None => return Err(hint.to_owned()),
            Some((index, of)) => (index, of.parse::<u64>().map_err(|_| hint.to_owned())?),
        };
        if of == 0 {
            return Err(format!("there are no shards of 0; {hint}"));
        }
        if index == "auto" {
            return Ok(Self::Auto(Some(of)));
        }
        let index = index.parse().map_err(|_| hint.to_owned())?;
        let shard = Shard::new(index, of);
        shard.map(Self::This).ok_or_else(|| format!("shards of {of} are numbered 1 to {of}"))
    }
}

/// Variables that say which of several jobs this is.
struct Variables {
    /// Whose they are.
    of: &'static str,
    index: &'static str,
    /// The number of the first job.
    first: u64,
    /// How many jobs there are; none if no variable says that.
    total: Option<&'static str>,
}

/// Where each is documented stands above it.
const KNOWN: &[Variables] = &[
    // https://docs.gitlab.com/ci/variables/predefined_variables: from 1, and only set for a job with `parallel`; the
    // total is 1 for any other
    Variables { of: "GitLab", index: "CI_NODE_INDEX", first: 1, total: Some("CI_NODE_TOTAL") },
    // https://circleci.com/docs/variables: from 0 to CIRCLE_NODE_TOTAL - 1
    Variables {
        of: "CircleCI",
        index: "CIRCLE_NODE_INDEX",
        first: 0,
        total: Some("CIRCLE_NODE_TOTAL"),
    },
    // https://buildkite.com/docs/pipelines/environment-variables: from 0, for a step with `parallelism`
    Variables {
        of: "Buildkite",
        index: "BUILDKITE_PARALLEL_JOB",
        first: 0,
        total: Some("BUILDKITE_PARALLEL_JOB_COUNT"),
    },
    // https://kubernetes.io/docs/concepts/workloads/controllers/job: from 0 to `.spec.completions` - 1, which no
    // variable says
    Variables { of: "Kubernetes", index: "JOB_COMPLETION_INDEX", first: 0, total: None },
];

/// The shard that is meant.
///
/// # Errors
/// If the variables do not say, or contradict each other.
pub(super) fn resolve(shard: ShardArg) -> Result<Shard, Failure> {
    match shard {
        ShardArg::This(shard) => Ok(shard),
        ShardArg::Auto(of) => auto(of, variable).map_err(|why| Failure(format!("error: {why}"))),
    }
}

#[expect(clippy::disallowed_methods, reason = "which seeds are run; no run sees it")]
fn variable(name: &str) -> Option<String> {
    // what is no text is no number either, and named as such
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

fn auto(of: Option<u64>, variable: impl Fn(&str) -> Option<String>) -> Result<Shard, String> {
    let number = |name: &str, value: &str| {
        let value = value.trim();
        value.parse::<u64>().map_err(|_| {
            format!(
                "{name} is `{}`, which is no number; say which shard with --shard I/N",
                printable(value)
            )
        })
    };
    let mut found: Option<(Shard, &Variables)> = None;
    let mut without_total = None;
    for known in KNOWN {
        let Some(index) = variable(known.index) else { continue };
        let index = number(known.index, &index)?;
        let total = match known.total.and_then(|name| Some((name, variable(name)?))) {
            Some((name, total)) => Some(number(name, &total)?),
            None => None,
        };
        if let (Some(total), Some(of)) = (total, of)
            && total != of
        {
            return Err(format!(
                "--shard auto/{of} is for {of} shards, and {} says that there are {total}; write --shard auto",
                known.total.unwrap_or_default()
            ));
        }
        let Some(total) = total.or(of) else {
            without_total = Some(known);
            continue;
        };
        let counted = index.checked_sub(known.first).and_then(|index| index.checked_add(1));
        let shard = counted.and_then(|counted| Shard::new(counted, total)).ok_or_else(|| {
            let (name, first) = (known.index, known.first);
            format!("{name} is {index}, and of {total} jobs the first is {first}; say which shard with --shard I/N")
        })?;
        match found {
            Some((other, by)) if other != shard => {
                let said = |shard: Shard, by: &Variables| {
                    format!(
                        "{} ({}) says shard {} of {}",
                        by.index,
                        by.of,
                        shard.index(),
                        shard.of()
                    )
                };
                return Err(format!(
                    "{}, and {}; say which one with --shard I/N",
                    said(other, by),
                    said(shard, known)
                ));
            }
            Some(_) => {}
            None => found = Some((shard, known)),
        }
    }
    match (found, without_total) {
        (Some((shard, _)), _) => Ok(shard),
        (None, Some(Variables { index, .. })) => Err(format!(
            "{index} says which shard this is, and nothing says of how many; write --shard auto/N, with N as in the Job's \
             `completions`"
        )),
        (None, None) => Err(nothing_says(&variable)),
    }
}

fn nothing_says(variable: &impl Fn(&str) -> Option<String>) -> String {
    let alone = KNOWN.iter().find_map(|known| {
        let total = known.total?;
        variable(total).map(|_| {
            format!("{total} is set, and {} is not: this job is not one of several; ", known.index)
        })
    });
    let known: Vec<String> =
        KNOWN.iter().map(|known| format!("{} ({})", known.index, known.of)).collect();
    format!(
        "{}--shard auto looks for {}; say which shard with --shard I/N",
        alone.unwrap_or_default(),
        known.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(index: u64, of: u64) -> Shard {
        Shard::new(index, of).expect("there is such a shard")
    }

    #[test]
    fn shards_are_read_and_what_is_none_is_told() {
        for (text, shard) in [
            ("1/1", ShardArg::This(is(1, 1))),
            ("2/4", ShardArg::This(is(2, 4))),
            ("auto", ShardArg::Auto(None)),
            ("auto/4", ShardArg::Auto(Some(4))),
        ] {
            assert_eq!(text.parse(), Ok(shard), "{text}");
        }
        for (text, said) in [
            ("0/4", "numbered 1 to 4"),
            ("5/4", "numbered 1 to 4"),
            ("1/0", "no shards of 0"),
            ("auto/0", "no shards of 0"),
            ("2", "such as 2/4"),
            ("two/4", "such as 2/4"),
            ("-1/4", "such as 2/4"),
            ("", "such as 2/4"),
        ] {
            let error = text.parse::<ShardArg>().expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    fn said(of: Option<u64>, variables: &[(&str, &str)]) -> Result<Shard, String> {
        auto(of, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn each_system_counts_its_own_way() {
        for (of, variables, shard) in [
            (None, &[("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "3")][..], is(1, 3)),
            (None, &[("CI_NODE_INDEX", "3"), ("CI_NODE_TOTAL", "3")], is(3, 3)),
            (None, &[("CIRCLE_NODE_INDEX", "0"), ("CIRCLE_NODE_TOTAL", "3")], is(1, 3)),
            (None, &[("CIRCLE_NODE_INDEX", "2"), ("CIRCLE_NODE_TOTAL", "3")], is(3, 3)),
            (
                None,
                &[("BUILDKITE_PARALLEL_JOB", "1"), ("BUILDKITE_PARALLEL_JOB_COUNT", "3")],
                is(2, 3),
            ),
            (Some(3), &[("JOB_COMPLETION_INDEX", "0")], is(1, 3)),
            (Some(3), &[("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "3")], is(1, 3)),
            // two that say the same
            (
                Some(3),
                &[("JOB_COMPLETION_INDEX", "1"), ("CI_NODE_INDEX", "2"), ("CI_NODE_TOTAL", "3")],
                is(2, 3),
            ),
        ] {
            assert_eq!(said(of, variables), Ok(shard), "{variables:?}");
        }
    }

    #[test]
    fn what_does_not_say_which_shard_it_is_is_told() {
        for (of, variables, words) in [
            (None, &[][..], "CIRCLE_NODE_INDEX (CircleCI)"),
            (
                None,
                &[("CI_NODE_TOTAL", "1")],
                "CI_NODE_INDEX is not: this job is not one of several",
            ),
            (None, &[("JOB_COMPLETION_INDEX", "0")], "--shard auto/N"),
            (Some(2), &[("JOB_COMPLETION_INDEX", "2")], "of 2 jobs the first is 0"),
            (None, &[("CI_NODE_INDEX", "0"), ("CI_NODE_TOTAL", "3")], "of 3 jobs the first is 1"),
            (None, &[("CI_NODE_INDEX", "one"), ("CI_NODE_TOTAL", "3")], "CI_NODE_INDEX is `one`"),
            (None, &[("CI_NODE_INDEX", "\u{1b}[2J"), ("CI_NODE_TOTAL", "3")], "which is no number"),
            (Some(4), &[("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "3")], "write --shard auto"),
            (
                None,
                &[
                    ("CI_NODE_INDEX", "1"),
                    ("CI_NODE_TOTAL", "3"),
                    ("CIRCLE_NODE_INDEX", "1"),
                    ("CIRCLE_NODE_TOTAL", "3"),
                ],
                "CI_NODE_INDEX (GitLab) says shard 1 of 3, and CIRCLE_NODE_INDEX (CircleCI) says shard 2 of 3",
            ),
        ] {
            let why = said(of, variables).expect_err(words);
            assert!(why.contains(words) && !why.contains('\u{1b}'), "{variables:?}: {why}");
        }
    }
}
