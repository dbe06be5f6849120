//! The corpus of broken scenario files: each with one mistake that people make, or a few; and what they are told.
//!
//! A new mistake is a new file in `tests/shop/broken`. Snapshots are made anew with `INSTA_UPDATE=always`.

use std::{collections::BTreeMap, fs, path::PathBuf};

use onceproof::scenario::{check, parse};

use super::common::{schema_errors, validator, values_of};

/// Mistakes that a schema can see, of all: it knows no other steps, and a few rules are told better by words.
const SEEN_BY_THE_SCHEMA: usize = 100;

/// The files by their names.
pub(crate) fn files() -> BTreeMap<String, String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/shop/broken");
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.expect("a file").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, fs::read_to_string(path).expect("a text"))
    };
    fs::read_dir(folder).expect("the corpus").map(read).collect()
}

#[test]
fn each_mistake_is_told_at_its_place_with_a_way_out() {
    let catalog = onceproof_shop::subject().catalog().expect("the services answer discovery");
    let files = files();
    assert!(files.len() >= 100, "{} files", files.len());
    let mut told: BTreeMap<&str, String> = BTreeMap::new();
    for (name, text) in &files {
        let wrong = parse(&format!("{name}.json"), text, &catalog).err();
        let wrong = wrong.unwrap_or_else(|| panic!("{name}: nothing is wrong with it"));
        assert!(wrong.errors() > 0, "{name}: refused without a reason");
        assert_eq!(wrong, check(&format!("{name}.json"), text, &catalog), "{name}");
        let kind = name.split('-').next().unwrap_or_default();
        told.entry(kind).or_default().push_str(&format!("{wrong}\n\n"));
    }
    for (kind, text) in told {
        insta::assert_snapshot!(format!("broken_{kind}"), text);
    }
}

/// One mistake is one message.
#[test]
fn a_mistake_is_told_once() {
    let catalog = onceproof_shop::subject().catalog().expect("the services answer discovery");
    const SEVERAL: [&str; 5] = [
        "all-at-once",
        "body-empty",
        "body-four-mistakes",
        "body-missing-two-fields",
        "body-no-items",
    ];
    for (name, text) in files().iter().filter(|(name, _)| !SEVERAL.contains(&name.as_str())) {
        let wrong = parse(name, text, &catalog).expect_err(name);
        assert_eq!(wrong.count(), 1, "{name}:\n{wrong}");
    }
}

#[test]
fn a_schema_sees_what_it_can() {
    let validator = validator();
    let files = files();
    let mut unseen = Vec::new();
    let mut seen = 0;
    for (name, text) in &files {
        let Some(value) = values_of(text) else { continue };
        if schema_errors(&validator, &value).is_empty() {
            unseen.push(name.as_str());
        } else {
            seen += 1;
        }
    }
    assert!(seen >= SEEN_BY_THE_SCHEMA, "{seen} of {}: it does not see {unseen:?}", files.len());
}
