//! Pages for a browser: one file with everything in it, for one run or for a campaign.
//!
//! A page is data and a program that draws it. The data are a function of a history and what came of it; they stand as
//! JSON in the page. The program and its style are the files under `assets`. `docs/pages.md` says what is in the data.
//!
//! Must not know: files, terminals.

mod align;
mod bars;
mod beside;
mod campaign;
mod lanes;
mod records;
mod shell;
mod texts;
mod trace;
mod values;

pub use beside::Passing;
pub use campaign::{Campaign, NotPrinted, Printed, campaign, printed, reproducers};
pub use shell::is_page;
pub use trace::{Ending, Trace, trace};

/// The version of the layout of a page's data.
pub const VERSION: u32 = 1;

#[cfg(test)]
mod tests;
