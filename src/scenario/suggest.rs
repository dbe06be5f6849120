//! "Did you mean ...?": the nearest known name, and lists of names for people.
//!
//! Must not know: what the names are for.

/// How many names a list shows; the rest is counted.
const LISTED_MAX: usize = 20;

/// The one of `known` that a person who wrote `name` most likely meant, if any comes close.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = squash(name);
    if written.is_empty() {
        return None;
    }
    let known: Vec<&str> = known.into_iter().collect();
    known
        .iter()
        .copied()
        .filter_map(|candidate| Some((distance(&written, &squash(candidate))?, candidate)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
        .or_else(|| same_beginning(&written, &known))
}

/// The only one of `known` that begins like `written`: `charged_at_most_once` for `charged_twice`.
fn same_beginning<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let common = |name: &str| {
        let name = squash(name);
        let equal = name.chars().zip(written.chars()).take_while(|(a, b)| a == b).count();
        if equal >= 6 && 2 * equal >= written.len().min(name.len()) { equal } else { 0 }
    };
    let longest = known.iter().map(|name| common(name)).max().filter(|longest| *longest > 0)?;
    let mut like = known.iter().filter(|name| common(name) == longest);
    let first = like.next()?;
    like.next().is_none().then_some(*first)
}

/// Case and separators aside: `chargedOnce`, `charged-once` and `charged_once` are one name.
fn squash(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// How far two squashed names are apart; none if they have too little in common to be a slip.
fn distance(written: &str, known: &str) -> Option<usize> {
    let (short, long) = (written.len().min(known.len()), written.len().max(known.len()));
    if short >= 4 && (known.starts_with(written) || written.starts_with(known)) {
        return Some(usize::from(written != known));
    }
    // A file is written by a stranger: the distance of two very long names is not worth its time.
    if long > 200 {
        return None;
    }
    let distance = strsim::damerau_levenshtein(written, known);
    (distance <= (long / 3).max(1) && distance < short.max(2)).then_some(distance)
}

/// A hint for an unknown name: the nearest one, or else all there are.
pub(crate) fn hint<'a>(
    name: &str,
    plural: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known {plural}: {}", list(known)),
    }
}

/// The names in backquotes, with commas.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        return "none".to_owned();
    }
    let shown = names[..names.len().min(LISTED_MAX)].join(", ");
    match names.len().saturating_sub(LISTED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let known = ["crash", "crash_in_run", "answer_lost", "at_ms", "latency_ms", "to"];
        for (written, meant) in [
            ("crsh", Some("crash")),
            ("Crash", Some("crash")),
            ("crashInRun", Some("crash_in_run")),
            ("answr_lost", Some("answer_lost")),
            ("at_s", Some("at_ms")),
            ("latency", Some("latency_ms")),
            ("answer_delayed", Some("answer_lost")),
            ("banana", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known), meant, "{written}");
        }
    }

    #[test]
    fn lists_are_bounded() {
        assert_eq!(list([]), "none");
        assert_eq!(list(["a", "b"]), "`a`, `b`");
        let many: Vec<String> = (0..28).map(|i| i.to_string()).collect();
        assert!(list(many.iter().map(String::as_str)).ends_with("`19` and 8 more"));
    }
}
