//! Case folders: `testdata/target/ROW/`, one for each row of the table of targets: `values.yaml`; `fires`, a target for which
//! the row must speak, with `want.err`, what `r8 validate` then writes; `silent`, the nearest target for which it must not;
//! `args` where the case needs flags.
//!
//! `SNAPSHOTS=overwrite cargo test --test target` writes what r8 says now; read it before you commit it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use r8::render::{ApiVersion, Options, Routing, render};
use r8::spec::{Identity, ReleaseSpec, Unknown};
use r8::target::{Effect, Finding, Row, Subject, Table, Target, check};
use r8::templates::{Catalog, File};
use r8::values::{Source, SourceName, load};
use snapbox::{Assert, Data};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/target")
}

/// A file of a case; none where it is not there.
fn file(folder: &Path, name: &str) -> Option<String> {
    fs::read_to_string(folder.join(name)).ok().map(|text| text.trim_end().to_owned())
}

/// What a target that is named lacks or ignores of a case.
fn findings(folder: &Path, target: &str) -> Vec<Finding> {
    let table = Table::embedded();
    findings_of(folder, &Target::parse(target, &table).unwrap(), &table)
}

fn findings_of(folder: &Path, target: &Target, table: &Table) -> Vec<Finding> {
    let args = file(folder, "args").unwrap_or_default();
    let own = |path: &str| File {
        path: path.to_owned(),
        text: fs::read_to_string(folder.join("templates").join(path)).unwrap(),
    };
    let files = match args.contains("--templates") {
        true => vec![own("mirrors/environment.yaml"), own("mirrors/mirror/route.yaml.j2")],
        false => Vec::new(),
    };
    let catalog = Catalog::embedded().with_files(files).unwrap();
    let text = fs::read_to_string(folder.join("values.yaml")).unwrap();
    let values = load(&[Source { name: SourceName::File("values.yaml".into()), text }]).unwrap();
    let identity = Identity { release: None, namespace: "default".into() };
    let (spec, _) = ReleaseSpec::decode(&values, &catalog, &identity, Unknown::Refuse).unwrap();
    let rendered = render(&spec, &catalog).unwrap();
    let api_version = if args.contains("--api-version v1") { ApiVersion::V1 } else { ApiVersion::V1beta1 };
    let options = Options { routing: Routing::Both, api_version, ready: None };
    let manifests = rendered.clone().select(&options).unwrap();
    let all: Vec<usize> = (0..spec.application.versions.len()).collect();
    let ready = [all, vec![0]];
    let subject = Subject {
        spec: &spec,
        values: values.root(),
        manifests: &manifests,
        route: rendered.route.as_ref(),
        ready: &ready,
    };
    check(target, table, &subject)
}

fn case(values: &Path) -> datatest_stable::Result<()> {
    let folder = values.parent().ok_or("a case has a folder")?;
    let id = folder.file_name().and_then(|name| name.to_str()).ok_or("a case has a name")?;
    let table = Table::embedded();
    let row = table.rows.iter().find(|row| row.id == id).ok_or("a case has the name of a row")?;
    let (fires, silent) = (file(folder, "fires").ok_or("a case fires")?, file(folder, "silent"));
    nearest(row, &fires, silent.as_deref(), &table);
    let fired = findings(folder, &fires);
    assert!(fired.iter().any(|finding| finding.id == id), "{fires} says nothing of {id}");
    if let Some(silent) = silent {
        assert!(findings(folder, &silent).iter().all(|finding| finding.id != id), "{silent} speaks of {id}");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_r8"))
        .current_dir(folder)
        .env_clear()
        .env("HELM_NAMESPACE", "default")
        .args(["validate", "values.yaml", "--target", &fires])
        .args(file(folder, "args").unwrap_or_default().split_whitespace())
        .output()?;
    let lacks = fired.iter().any(|finding| finding.effect == Effect::Lacks);
    assert_eq!(output.status.code(), Some(if lacks { 2 } else { 0 }));
    assert_eq!(output.stdout.is_empty(), lacks);
    let want = Data::read_from(&folder.join("want.err"), None).raw();
    Assert::new().action_env("SNAPSHOTS").eq(String::from_utf8(output.stderr)?, want);
    Ok(())
}

/// The two targets of a case stand on both sides of a bound of its row, with no version between them.
fn nearest(row: &Row, fires: &str, silent: Option<&str>, table: &Table) {
    let version = |text: &str| Target::parse(text, table).unwrap().version(&row.product).unwrap();
    let fires = version(fires);
    let bounds: Vec<_> = [row.since, row.before].into_iter().flatten().map(|bound| bound.0).collect();
    assert_eq!(silent.is_some(), !bounds.is_empty(), "{}: a row with a bound is silent beyond it", row.id);
    let Some(silent) = silent.map(version) else { return };
    assert!(bounds.contains(&fires.max(silent)), "{}: {fires} and {silent} are not the nearest", row.id);
    let product = table.product(&row.product).unwrap();
    let below = fires.max(silent);
    let ends = product.versions.iter().map(|[_, last]| last.0).filter(|last| *last < below).max();
    let before = if below.minor > 0 { r8::target::Version { minor: below.minor - 1, ..below } } else { ends.unwrap() };
    assert_eq!(fires.min(silent), before, "{}", row.id);
}

/// Every row has a case, by the name of its folder.
fn every_row_has_a_case(_: &Path) -> datatest_stable::Result<()> {
    let folders = fs::read_dir(root())?.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let cases: BTreeSet<String> = folders.collect();
    let rows: BTreeSet<String> = Table::embedded().rows.into_iter().map(|row| row.id).collect();
    assert_eq!(cases, rows);
    Ok(())
}

/// What no version takes is refused for the first one and for the last, at the same place and in the same words as without a
/// target; and the README says it.
fn what_every_version_refuses_is_refused_for_a_target_too(_: &Path) -> datatest_stable::Result<()> {
    let table = Table::embedded();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(manifest.join("README.md"))?;
    for limit in &table.limits {
        let folder = manifest.join("testdata/render/errors").join(&limit.case);
        let versions = &table.product(&limit.product).ok_or("a limit has a product")?.versions;
        let ends = [versions.first().unwrap()[0], versions.last().unwrap()[1]];
        for end in ends {
            let output = Command::new(env!("CARGO_BIN_EXE_r8"))
                .current_dir(&folder)
                .env_clear()
                .env("HELM_NAMESPACE", "default")
                .args(["validate", "values.yaml", "--target", &format!("{}={}", limit.product, end.0)])
                .args(file(&folder, "args").unwrap_or_default().split_whitespace())
                .output()?;
            assert_eq!(output.status.code(), Some(2), "{} {}", limit.case, end.0);
            let told = String::from_utf8(output.stderr)?;
            assert_eq!(told, fs::read_to_string(folder.join("want.err"))?, "{}", limit.case);
        }
        let row = format!("| {} | {} | {} |", limit.product, limit.what, limit.source);
        assert!(readme.contains(&row), "the README lacks {row}");
    }
    Ok(())
}

/// A cluster has said what it serves: no version of a product says more.
fn what_a_cluster_does_not_serve_is_lacking(_: &Path) -> datatest_stable::Result<()> {
    let served = [
        ("v1", "ConfigMap"),
        ("v1", "Service"),
        ("apps/v1", "Deployment"),
        ("networking.istio.io/v1", "VirtualService"),
    ];
    let served = served.map(|(version, kind)| (version.to_owned(), vec![kind.to_owned()]));
    let table = Table::embedded();
    let target = Target { served: Some(served.to_vec()), ..Target::parse("istio=1.21", &table)? };
    let told = findings_of(&root().join("istio-weights"), &target, &table);
    let told: Vec<(&str, &str)> =
        told.iter().map(|finding| (finding.message.as_str(), finding.hint.as_str())).collect();
    let message = "the cluster does not serve VirtualService as networking.istio.io/v1beta1";
    let hint = "it serves networking.istio.io/v1; `apply` uses that, `render` with `--api-version`";
    assert_eq!(told, [(message, hint)]);
    assert!(findings_of(&root().join("istio-v1"), &target, &table).is_empty());
    Ok(())
}

datatest_stable::harness! {
    { test = case, root = "testdata/target", pattern = r"values\.yaml$" },
    { test = every_row_has_a_case, root = "testdata/target", pattern = r"istio-v1/fires$" },
    { test = what_every_version_refuses_is_refused_for_a_target_too, root = "testdata/target", pattern = r"istio-v1/fires$" },
    { test = what_a_cluster_does_not_serve_is_lacking, root = "testdata/target", pattern = r"istio-v1/fires$" },
}
