//! Inside the process: from the text of values to the text of manifests.
//!
//! `cargo bench --bench render`

use std::path::{Path, PathBuf};

use divan::{Bencher, black_box};
use r8::render::{ApiVersion, Options, Routing, render};
use r8::spec::{Identity, ReleaseSpec, Unknown};
use r8::templates::Catalog;
use r8::values::{Source, SourceName, load};

mod releases;

fn main() {
    divan::main();
}

/// The work of `r8 render` between reading and writing.
fn printed(text: &str, name: &str) -> String {
    let values = load(&[Source { name: SourceName::File("values.yaml".into()), text: text.into() }]).unwrap();
    let catalog = Catalog::embedded();
    let identity = Identity { release: Some(name.into()), namespace: "default".into() };
    let (spec, _) = ReleaseSpec::decode(&values, &catalog, &identity, Unknown::Refuse).unwrap();
    let options = Options { routing: Routing::Both, api_version: ApiVersion::V1beta1, ready: None };
    render(&spec, &catalog).unwrap().select(&options).unwrap().to_yaml().unwrap()
}

#[divan::bench]
fn seed(bencher: Bencher) {
    bencher.bench(|| printed(black_box(releases::SEED), "wisdom"));
}

#[divan::bench(args = [1, 10, 100, 1000])]
fn versions(bencher: Bencher, count: usize) {
    let text = releases::versions(count);
    bencher.bench(|| printed(black_box(&text), "wisdom"));
}

#[divan::bench]
fn values_of_one_megabyte(bencher: Bencher) {
    let text = releases::one_megabyte();
    bencher.bench(|| {
        load(&[Source { name: SourceName::File("values.yaml".into()), text: black_box(&text).clone() }]).unwrap()
    });
}

/// The 44 documented releases one after the other; nothing to measure where `../shared` (or `R8_SHARED`) is absent.
#[divan::bench]
fn documented_releases(bencher: Bencher) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("R8_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let folders = std::fs::read_dir(shared.join("oracle")).into_iter().flatten().flatten();
    let texts: Vec<String> =
        folders.filter_map(|folder| std::fs::read_to_string(folder.path().join("values.yaml")).ok()).collect();
    bencher.bench(|| texts.iter().map(|text| printed(black_box(text), "wisdom").len()).sum::<usize>());
}
