//! The releases that are measured.

use std::fmt::Write;

/// The tutorial's release.
pub const SEED: &str = include_str!("../../testdata/tutorial/values.yaml");

/// A blue-green release of `count` ModelMesh versions.
pub fn versions(count: usize) -> String {
    let mut text = String::from(
        "environment: kserve-modelmesh-istio\napplication:\n  metadata:\n    name: wisdom\n    labels: {team: models}\n  \
         modelFormat: sklearn\n  strategy: blue-green\n  versions:\n",
    );
    for index in 0..count {
        let weight = index % 100 + 1;
        write!(
            text,
            "  - metadata:\n      labels:\n        app.kubernetes.io/version: v{index}.0\n    storageUri: \
             s3://modelmesh-example-models/sklearn/mnist-svm-{index}.joblib\n    weight: {weight}\n"
        )
        .unwrap();
    }
    text
}

/// A release with one version and a megabyte of the user's own keys.
#[allow(dead_code, reason = "not every benchmark measures it")]
pub fn one_megabyte() -> String {
    let mut text = format!("{}x-own:\n", versions(1));
    let mut index = 0;
    while text.len() < 1_000_000 {
        write!(text, "- name: entry-{index}\n  text: \"some words of entry {index}\"\n  list: [1, two, 3.5]\n")
            .unwrap();
        index += 1;
    }
    text
}
