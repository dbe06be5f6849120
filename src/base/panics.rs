//! A panic of a handler belongs to its attempt, that of a system to its call, that of an oracle to its verdict:
//! caught, kept with its place in the code, and not printed.

use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::Once,
};

thread_local! {
    /// Whether panics of this thread are kept.
    static LISTENING: Cell<bool> = const { Cell::new(false) };
    /// The last one.
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `f`; a panic in it becomes its message, with the place in the code.
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if LISTENING.get() {
                let text = message_of(info.payload());
                let place =
                    info.location().map(|l| format!(" at {}:{}", portable(l.file()), l.line()));
                CAUGHT.set(Some(format!("{text}{}", place.unwrap_or_default())));
            } else {
                previous(info);
            }
        }));
    });
    let result = hush(|| catch_unwind(AssertUnwindSafe(f)));
    result.map_err(|_| CAUGHT.take().unwrap_or_else(|| "a panic without a message".to_owned()))
}

fn message_of(payload: &(dyn std::any::Any + Send)) -> &str {
    let owned = || payload.downcast_ref::<String>().map(String::as_str);
    payload.downcast_ref::<&str>().copied().or_else(owned).unwrap_or("a panic without a message")
}

/// Runs `f` without printing panics: tokio catches those of tasks and reports them to the task that joins them.
pub(crate) fn hush<T>(f: impl FnOnce() -> T) -> T {
    let outer = LISTENING.replace(true);
    let result = f();
    LISTENING.set(outer);
    result
}

/// A source file's path without what differs from machine to machine: it goes into histories.
fn portable(file: &str) -> &str {
    if !file.starts_with('/') {
        return file;
    }
    let in_registry = file.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/'));
    in_registry.or_else(|| file.rsplit_once('/')).map_or(file, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_the_same_on_every_machine() {
        for (file, expected) in [
            ("src/lib.rs", "src/lib.rs"),
            ("/home/a/.cargo/registry/src/index-1/map-1.0.0/src/map.rs", "map-1.0.0/src/map.rs"),
            ("/home/a/shop/map.rs", "map.rs"),
        ] {
            assert_eq!(portable(file), expected);
        }
    }

    #[test]
    fn a_panic_becomes_its_message_and_place() {
        let caught = catch::<()>(|| panic!("boom {}", 1)).unwrap_err();
        assert!(caught.starts_with("boom 1 at ") && caught.contains("panics.rs:"), "{caught}");
        assert_eq!(catch(|| 7), Ok(7));
    }
}
