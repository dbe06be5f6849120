//! Request identity: a Restate server signs what it sends to handlers, and who hosts them can insist on it.
//!
//! The server's public key is written `publickeyv1_` and Base58. A request says `x-restate-signature-scheme: v1`, and
//! has in `x-restate-jwt-v1` a token in JWS compact form, signed with Ed25519, whose audience is the request's path.
//!
//! Must not know: who asks, time of its own.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, VerifyingKey};
use http::HeaderMap;
use serde::Deserialize;

/// What a public key begins with.
const PREFIX: &str = "publickeyv1_";

const SCHEME_HEADER: &str = "x-restate-signature-scheme";
const TOKEN_HEADER: &str = "x-restate-jwt-v1";

/// The longest token that is looked at, in bytes; a server's has about 300.
const TOKEN_MAX: usize = 4096;

/// The public key of a Restate server, as it says it itself when it starts: `publickeyv1_...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityKey(VerifyingKey);

/// A text that is no public key of a Restate server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no public key of a Restate server: {problem}; the server writes its own to its log when it starts"
)]
pub struct IdentityKeyError {
    text: String,
    problem: String,
}

impl std::str::FromStr for IdentityKey {
    type Err = IdentityKeyError;

    fn from_str(text: &str) -> Result<Self, IdentityKeyError> {
        let wrong = |problem: String| IdentityKeyError { text: text.to_owned(), problem };
        let digits =
            text.strip_prefix(PREFIX).ok_or_else(|| wrong(format!("it begins with {PREFIX}")))?;
        let bytes = bs58::decode(digits).into_vec().map_err(|error| wrong(error.to_string()))?;
        let length = bytes.len();
        let bytes = <[u8; 32]>::try_from(bytes)
            .map_err(|_| wrong(format!("it stands for 32 bytes, not {length}")))?;
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|error| wrong(error.to_string()))
    }
}

/// Why a request is not believed to come from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unbelievable {
    #[error("the request is not signed, and only signed ones are answered here")]
    Unsigned,
    #[error("the request is signed by another scheme than v1")]
    OtherScheme,
    #[error("the request's token cannot be read")]
    Malformed,
    #[error("the request's token is signed by none of the keys")]
    OtherKey,
    #[error("the request's token is for another path")]
    OtherPath,
    #[error("the request's token is not valid at this time")]
    OtherTime,
}

#[derive(Deserialize)]
struct TokenHeader {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    aud: Audience,
    /// Seconds since the Unix epoch.
    nbf: u64,
    exp: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    All(Vec<String>),
}

/// Checks that a request for `path` with these headers, which arrives at `unix_s`, was sent by the server that has one
/// of `keys`.
pub(super) fn check(
    keys: &[IdentityKey],
    headers: &HeaderMap,
    path: &str,
    unix_s: u64,
) -> Result<(), Unbelievable> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text(SCHEME_HEADER) {
        Some("v1") => {}
        None | Some("unsigned") => return Err(Unbelievable::Unsigned),
        Some(_) => return Err(Unbelievable::OtherScheme),
    }
    let token = text(TOKEN_HEADER).ok_or(Unbelievable::Unsigned)?;
    let claims = verified(keys, token)?;
    let fits = |audience: &str| audience == signed_path(path);
    let for_us = match &claims.aud {
        Audience::One(one) => fits(one),
        Audience::All(all) => all.iter().any(|one| fits(one)),
    };
    if !for_us {
        return Err(Unbelievable::OtherPath);
    }
    if !(claims.nbf..claims.exp).contains(&unix_s) {
        return Err(Unbelievable::OtherTime);
    }
    Ok(())
}

/// The claims of a token that one of the keys signed.
fn verified(keys: &[IdentityKey], token: &str) -> Result<Claims, Unbelievable> {
    if token.len() > TOKEN_MAX {
        return Err(Unbelievable::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Unbelievable::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(Unbelievable::Malformed)?;
    let header: TokenHeader = part(header)?;
    // the token does not choose how it is checked
    if header.alg != "EdDSA" {
        return Err(Unbelievable::Malformed);
    }
    let signature = bytes(signature)?;
    let signature = Signature::from_slice(&signature).map_err(|_| Unbelievable::Malformed)?;
    if !keys.iter().any(|key| key.0.verify_strict(signed.as_bytes(), &signature).is_ok()) {
        return Err(Unbelievable::OtherKey);
    }
    part(claims)
}

fn part<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, Unbelievable> {
    serde_json::from_slice(&bytes(text)?).map_err(|_| Unbelievable::Malformed)
}

fn bytes(text: &str) -> Result<Vec<u8>, Unbelievable> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Unbelievable::Malformed)
}

/// What a server signs of a path: `/invoke/Service/handler` or `/discover`, without what a proxy put before it.
fn signed_path(path: &str) -> &str {
    let at = match path.rfind("/invoke/") {
        Some(at) if path[at..].split('/').count() == 4 => Some(at),
        _ => path.ends_with("/discover").then(|| path.len() - "/discover".len()),
    };
    at.map_or(path, |at| &path[at..])
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use http::HeaderValue;
    use serde_json::{Value, json};

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn pair(seed: u8) -> (SigningKey, IdentityKey) {
        let signing = SigningKey::from_bytes(&[seed; 32]);
        let text = format!("{PREFIX}{}", bs58::encode(signing.verifying_key()).into_string());
        (signing, text.parse().expect("it is a key"))
    }

    fn claims() -> Value {
        json!({ "aud": "/invoke/Rooms/book", "nbf": NOW - 60, "iat": NOW, "exp": NOW + 60 })
    }

    fn token(key: &SigningKey, alg: &str, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({ "typ": "JWT", "alg": alg, "kid": "publickeyv1_x" });
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).to_bytes());
        format!("{signed}.{signature}")
    }

    fn headers(scheme: &str, token: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(SCHEME_HEADER, HeaderValue::from_str(scheme).expect("it is text"));
        headers.insert(TOKEN_HEADER, HeaderValue::from_str(token).expect("it is text"));
        headers
    }

    #[test]
    fn what_the_server_signed_is_believed_and_nothing_else() {
        let ((signing, key), (other, other_key)) = (pair(1), pair(2));
        let keys = [other_key, key];
        let path = "/invoke/Rooms/book";
        let good = token(&signing, "EdDSA", &claims());
        assert_eq!(check(&keys, &headers("v1", &good), path, NOW), Ok(()));
        // a proxy may have put something before it
        assert_eq!(check(&keys, &headers("v1", &good), "/mine/invoke/Rooms/book", NOW), Ok(()));
        let with = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            token(&signing, "EdDSA", &claims)
        };
        let listed = with("aud", json!(["/discover", "/invoke/Rooms/book"]));
        assert_eq!(check(&keys, &headers("v1", &listed), path, NOW), Ok(()));
        let forged = {
            let (start, signature) = good.rsplit_once('.').expect("three parts");
            let (head, _) = start.split_once('.').expect("three parts");
            let more = json!({ "aud": path, "nbf": 0, "exp": NOW * 2 }).to_string();
            format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode(more))
        };
        for (what, headers, path, unix_s, expected) in [
            ("no headers", HeaderMap::new(), path, NOW, Unbelievable::Unsigned),
            ("says unsigned", headers("unsigned", &good), path, NOW, Unbelievable::Unsigned),
            ("a later scheme", headers("v2", &good), path, NOW, Unbelievable::OtherScheme),
            ("no token", headers("v1", ""), path, NOW, Unbelievable::Malformed),
            ("two parts", headers("v1", "a.b"), path, NOW, Unbelievable::Malformed),
            ("long", headers("v1", &"a".repeat(9000)), path, NOW, Unbelievable::Malformed),
            ("forged claims", headers("v1", &forged), path, NOW, Unbelievable::OtherKey),
            (
                "another's key",
                headers("v1", &token(&pair(3).0, "EdDSA", &claims())),
                path,
                NOW,
                Unbelievable::OtherKey,
            ),
            (
                "another way to sign",
                headers("v1", &token(&other, "none", &claims())),
                path,
                NOW,
                Unbelievable::Malformed,
            ),
            (
                "no end",
                headers("v1", &with("exp", Value::Null)),
                path,
                NOW,
                Unbelievable::Malformed,
            ),
            (
                "another path",
                headers("v1", &good),
                "/invoke/Rooms/free",
                NOW,
                Unbelievable::OtherPath,
            ),
            ("discovery", headers("v1", &good), "/discover", NOW, Unbelievable::OtherPath),
            ("too late", headers("v1", &good), path, NOW + 60, Unbelievable::OtherTime),
            ("too early", headers("v1", &good), path, NOW - 61, Unbelievable::OtherTime),
        ] {
            assert_eq!(check(&keys, &headers, path, unix_s), Err(expected), "{what}");
        }
    }

    #[test]
    fn a_key_is_read_as_the_server_writes_it() {
        let wrong = |text: &str| text.parse::<IdentityKey>().expect_err(text).to_string();
        assert!(wrong("w7YHemBctH5Ck2nQRQ47iBBqhNHy4FV7t2Usbye2A6f").contains("begins with"));
        assert!(wrong("publickeyv1_0O").contains("is no public key"));
        assert!(wrong("publickeyv1_2g").contains("it stands for 32 bytes, not 1"));
        assert!(wrong("").contains("its log when it starts"));
    }
}
