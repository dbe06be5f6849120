//! What a request takes from replies that came before it.
//!
//! Must not know: requests.

use serde::{Deserialize, Serialize};

/// A part of a request that is not known before another one is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// What stands for it in the request's texts: `{pay.id}`.
    pub placeholder: String,
    /// The request whose reply it is taken from.
    pub request: String,
}
