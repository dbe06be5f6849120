//! "Did you mean ...?": the nearest existing name, and lists of names for people.
//!
//! Must not know: what the names are for.

/// How many names a list shows; the rest is counted.
const LISTED_MAX: usize = 20;

/// The one of `names` that a person who wrote `name` most likely meant, if any comes close.
pub(crate) fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = squash(name);
    if written.is_empty() {
        return None;
    }
    let names: Vec<&str> = names.into_iter().collect();
    names
        .iter()
        .copied()
        .filter_map(|candidate| Some((distance(&written, &squash(candidate))?, candidate)))
        // `CreatePaymnt` is a slip in `CreatePayment` rather than a longer `Create`
        .min_by_key(|(distance, near)| (*distance, squash(near).len().abs_diff(written.len())))
        .map(|(_, candidate)| candidate)
        .or_else(|| same_beginning(&written, &names))
        .or_else(|| same_word(name, &names))
}

/// The only one of `names` that has a long word of `written` in it: `never_oversold` for `no_oversel`.
fn same_word<'a>(written: &str, names: &[&'a str]) -> Option<&'a str> {
    let words = |name: &str| -> Vec<String> {
        let parts = name.split(|c: char| !c.is_alphanumeric()).map(squash);
        parts.filter(|word| word.chars().count() >= 6 && word.len() <= 200).collect()
    };
    let theirs = words(written);
    let is_near = |one: &String, other: &String| {
        strsim::damerau_levenshtein(one, other) <= 1 + usize::from(one.len() > 6 && other.len() > 6)
    };
    let mut like = names.iter().filter(|name| {
        words(name).iter().any(|word| theirs.iter().any(|written| is_near(word, written)))
    });
    let first = like.next()?;
    like.next().is_none().then_some(*first)
}

/// The only one of `names` that begins like `written`: `booked_at_most_once` for `booked_twice`.
fn same_beginning<'a>(written: &str, names: &[&'a str]) -> Option<&'a str> {
    let common = |name: &str| {
        let name = squash(name);
        let equal = name.chars().zip(written.chars()).take_while(|(a, b)| a == b).count();
        if equal >= 6 && 2 * equal >= written.len().min(name.len()) { equal } else { 0 }
    };
    let longest = names.iter().map(|name| common(name)).max().filter(|longest| *longest > 0)?;
    let mut like = names.iter().filter(|name| common(name) == longest);
    let first = like.next()?;
    like.next().is_none().then_some(*first)
}

/// Case and separators aside: `bookedOnce`, `booked-once` and `booked_once` are one name.
fn squash(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// How far two squashed names are apart; none if they have too little in common to be a slip.
fn distance(written: &str, name: &str) -> Option<usize> {
    let (short, long) = (written.len().min(name.len()), written.len().max(name.len()));
    if short >= 4 && (name.starts_with(written) || written.starts_with(name)) {
        return Some(usize::from(written != name));
    }
    // A file is written by a stranger: the distance of two very long names is not worth its time.
    if long > 200 {
        return None;
    }
    let distance = strsim::damerau_levenshtein(written, name);
    (distance <= (long / 3).max(1) && distance < short.max(2)).then_some(distance)
}

/// A hint for an unknown name: the nearest one, or else all there are.
pub(crate) fn hint<'a>(
    name: &str,
    plural: &str,
    names: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    match nearest(name, names.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known {plural}: {}", list(names)),
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
        let names = ["crash", "crash_in_run", "answer_lost", "at_ms", "latency_ms", "to"];
        for (written, meant) in [
            ("crsh", Some("crash")),
            ("Crash", Some("crash")),
            ("crashInRun", Some("crash_in_run")),
            ("crash_in_rn", Some("crash_in_run")),
            ("answr_lost", Some("answer_lost")),
            ("at_s", Some("at_ms")),
            ("latency", Some("latency_ms")),
            ("answer_delayed", Some("answer_lost")),
            ("banana", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, names), meant, "{written}");
        }
    }

    #[test]
    fn a_long_word_in_common_is_enough_if_only_one_has_it() {
        let names = ["never_oversold", "guest_booked_once", "room_booked_once"];
        assert_eq!(nearest("no_oversel", names), Some("never_oversold"));
        assert_eq!(nearest("twice_booked", names), None);
    }

    #[test]
    fn lists_are_bounded() {
        assert_eq!(list([]), "none");
        assert_eq!(list(["a", "b"]), "`a`, `b`");
        let many: Vec<String> = (0..28).map(|i| i.to_string()).collect();
        assert!(list(many.iter().map(String::as_str)).ends_with("`19` and 8 more"));
    }
}
