//! The seeds of `make fuzz`, as tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Calls a function with each seed of the folder of its name. Names all functions, as the test compares.
macro_rules! targets {
    ($($name:ident)+) => {
        const TARGETS: &[(&str, fn(&[u8]))] = &[$((stringify!($name), super::$name)),+];
    };
}

targets! {
    access_token account_body client_address code content_headers email idempotency_key if_none_match json_integer
    marks_body message_body page_query password request_id search stream_cursor time username
}

fn folder(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz")).join(name)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").path());
    names
        .map(|path| {
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

#[test]
fn the_properties_of_each_parser_hold_for_its_seeds() {
    for (name, check) in TARGETS {
        let seeds = folder("seeds").join(name);
        let files =
            fs::read_dir(&seeds).unwrap_or_else(|error| panic!("{}: {error}", seeds.display()));
        let mut count = 0;
        for file in files {
            let file = file.expect("an entry").path();
            eprintln!("{}", file.display());
            check(&fs::read(file).expect("a seed"));
            count += 1;
        }
        assert!(count > 0, "{name} has seeds");
    }
}

#[test]
fn each_parser_has_a_target_and_seeds() {
    let listed: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&folder("targets")), listed);
    assert_eq!(names(&folder("seeds")), listed);
}
