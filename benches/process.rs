//! Whole processes, from start to exit: `r8 render` beside `true`, and beside `helm template` where `R8_BENCH_HELM` names it;
//! `r8 diff --against` of two releases.
//!
//! `R8_BENCH_HELM=$(command -v helm) cargo bench --bench process`
//!
//! The Iter8 chart cannot be had from a registry: Helm gets a chart whose only template is what r8 printed, so its figure
//! is what Helm needs at least.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use divan::Bencher;

mod releases;

fn main() {
    divan::main();
}

const COUNTS: [usize; 5] = [0, 1, 10, 100, 1000];

/// The values of `count` versions in a file; 0 stands for the tutorial's release.
fn values(count: usize) -> PathBuf {
    let text = if count == 0 { releases::SEED.to_owned() } else { releases::versions(count) };
    let path = folder().join(format!("values-{count}.yaml"));
    std::fs::write(&path, text).unwrap();
    path
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn render(values: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_r8"));
    command.args(["render", "wisdom", "-n", "default", "-f"]).arg(values);
    command
}

fn run(mut command: Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success());
}

#[divan::bench]
fn nothing(bencher: Bencher) {
    bencher.bench_local(|| run(Command::new("true")));
}

#[divan::bench(args = COUNTS)]
fn r8_render(bencher: Bencher, count: usize) {
    let values = values(count);
    bencher.bench_local(|| run(render(&values)));
}

/// A release with a megabyte of the user's own keys.
#[divan::bench]
fn r8_render_one_megabyte(bencher: Bencher) {
    let values = folder().join("values-megabyte.yaml");
    std::fs::write(&values, releases::one_megabyte()).unwrap();
    bencher.bench_local(|| run(render(&values)));
}

/// Every version has another weight than before.
#[divan::bench(args = COUNTS)]
fn r8_diff_against(bencher: Bencher, count: usize) {
    let after = values(count);
    let before = folder().join(format!("before-{count}.yaml"));
    let text = std::fs::read_to_string(&after).unwrap();
    let lines = text.lines().map(|line| match line.split_once("weight: ") {
        Some((indent, weight)) => format!("{indent}weight: {}\n", weight.trim().parse::<u32>().unwrap() + 1),
        None => format!("{line}\n"),
    });
    std::fs::write(&before, lines.collect::<String>()).unwrap();
    bencher.bench_local(|| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_r8"));
        command.args(["diff", "wisdom", "-n", "default", "--against"]).arg(&before).arg("-f").arg(&after);
        run(command);
    });
}

/// The documented releases, one process after the other; none where `R8_SHARED` (`../shared`) has no oracle.
fn documented() -> Vec<PathBuf> {
    let shared = std::env::var_os("R8_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let entries = std::fs::read_dir(shared.join("oracle")).into_iter().flatten();
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path().join("values.yaml")).collect();
    cases.sort();
    cases
}

#[divan::bench(sample_count = 20)]
fn r8_render_documented(bencher: Bencher) {
    let cases = documented();
    bencher.bench_local(|| cases.iter().for_each(|values| run(render(values))));
}

#[divan::bench(sample_count = 20)]
fn helm_template_documented(bencher: Bencher) {
    let Some(helm) = std::env::var_os("R8_BENCH_HELM") else { return };
    let chart = |(index, values): (usize, &PathBuf)| (chart(&format!("documented-{index}"), values), values.clone());
    let charts: Vec<(PathBuf, PathBuf)> = documented().iter().enumerate().map(chart).collect();
    bencher.bench_local(|| charts.iter().for_each(|(chart, values)| run(template(&helm, chart, values))));
}

#[divan::bench(args = COUNTS)]
fn helm_template(bencher: Bencher, count: usize) {
    let Some(helm) = std::env::var_os("R8_BENCH_HELM") else { return };
    let values = values(count);
    let chart = chart(&format!("release-{count}"), &values);
    bencher.bench_local(|| run(template(&helm, &chart, &values)));
}

/// A chart whose only template is what r8 prints.
fn chart(name: &str, values: &Path) -> PathBuf {
    let printed = render(values).stderr(Stdio::null()).output().unwrap().stdout;
    let chart = folder().join(name);
    std::fs::create_dir_all(chart.join("templates")).unwrap();
    std::fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: release\nversion: 0.18.5\n").unwrap();
    let text = String::from_utf8(printed).unwrap().replace("{{", "{{\"{{\"}}");
    std::fs::write(chart.join("templates/release.yaml"), text).unwrap();
    chart
}

fn template(helm: &OsStr, chart: &Path, values: &Path) -> Command {
    let mut command = Command::new(helm);
    command.args(["template", "wisdom"]).arg(chart).arg("-f").arg(values);
    command
}
