//! A panic of an oracle: caught, kept with its place in the code, and not printed.
//!
//! Must not know: oracles.

use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::Once,
};

thread_local! {
    static LISTENING: Cell<bool> = const { Cell::new(false) };
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `f`; a panic in it becomes its message, with its place in the code.
pub(super) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if !LISTENING.get() {
                return previous(info);
            }
            let payload = info.payload();
            let owned = || payload.downcast_ref::<String>().map(String::as_str);
            let text = payload.downcast_ref::<&str>().copied().or_else(owned);
            let text = text.unwrap_or("a panic without a message");
            let place = info.location().map(|l| format!(" at {}:{}", l.file(), l.line()));
            CAUGHT.set(Some(format!("{text}{}", place.unwrap_or_default())));
        }));
    });
    let outer = LISTENING.replace(true);
    let result = catch_unwind(AssertUnwindSafe(f));
    LISTENING.set(outer);
    result.map_err(|_| CAUGHT.take().unwrap_or_else(|| "a panic without a message".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::catch;

    #[test]
    fn a_panic_becomes_its_message_and_place() {
        assert_eq!(catch(|| 1), Ok(1));
        let message = catch(|| -> u32 { panic!("no {}", "room") }).expect_err("it panicked");
        assert!(message.starts_with("no room at ") && message.contains("panics.rs:"), "{message}");
    }
}
