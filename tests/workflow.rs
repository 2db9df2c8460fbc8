//! The README's check of a pull request: its steps are run as a runner runs them, in a repository with two branches.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use r8::manifest::read_documents;

/// What GitHub takes as the body of a comment, in characters.
const COMMENT: usize = 65_536;

/// The commands of the steps that r8 is run in.
fn steps() -> Vec<String> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let begin = readme.find("# .github/workflows/review.yaml").unwrap();
    let block = readme[begin..].split("```").next().unwrap();
    let workflow = read_documents(block).unwrap().remove(0);
    let steps = workflow["jobs"]["review"]["steps"].as_array().unwrap().clone();
    let runs: Vec<String> = steps.iter().filter_map(|step| step["run"].as_str().map(str::to_owned)).collect();
    assert_eq!((runs.len(), steps.len()), (5, 6));
    runs.into_iter().filter(|run| run.contains("r8 ")).collect()
}

/// A checkout of a pull request, as the runner has it.
struct Checkout {
    folder: tempfile::TempDir,
}

impl Checkout {
    /// One whose main branch has these values, and the pull request those.
    fn new(main: &str, request: &str) -> Checkout {
        let checkout = Checkout { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(checkout.path("work")).unwrap();
        fs::create_dir(checkout.path("temp")).unwrap();
        fs::write(checkout.path("work/values.yaml"), main).unwrap();
        let git = "git init -q && git add values.yaml && git -c user.name=a -c user.email=a@example.org commit -q -m main && git \
                   update-ref refs/remotes/origin/main HEAD";
        let output = checkout.run(git);
        assert!(output.status.success(), "{output:?}");
        fs::write(checkout.path("work/values.yaml"), request).unwrap();
        checkout
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a step with the runner's shell and variables.
    fn run(&self, step: &str) -> Output {
        let r8 = Path::new(env!("CARGO_BIN_EXE_r8")).parent().unwrap();
        let path = format!("{}:{}", r8.display(), std::env::var("PATH").unwrap());
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", step]).current_dir(self.path("work"));
        bash.env_clear().env("PATH", path).env("HOME", self.folder.path()).env("CI", "true");
        bash.env("GITHUB_WORKSPACE", self.path("work")).env("GITHUB_STEP_SUMMARY", self.path("summary.md"));
        bash.env("RUNNER_TEMP", self.path("temp")).output().unwrap()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

const INITIAL: &str = include_str!("../testdata/tutorial/initial.yaml");
const CANDIDATE: &str = include_str!("../testdata/tutorial/values.yaml");

#[test]
fn a_pull_request_is_annotated_summed_up_and_commented_on() {
    let checkout = Checkout::new(INITIAL, CANDIDATE);
    let outputs: Vec<Output> = steps().iter().map(|step| checkout.run(step)).collect();
    for output in &outputs {
        assert!(output.status.success(), "{}{}", printed(output), String::from_utf8_lossy(&output.stderr));
    }
    // The candidate's entry begins in that line.
    let entries = CANDIDATE.lines().enumerate().filter(|(_, line)| line.starts_with("  - "));
    let line = entries.map(|(index, _)| index + 1).nth(1).unwrap();
    let annotations = printed(&outputs[1]);
    let warning = format!(
        "::warning file=values.yaml,line={line},col=5,title=r8 large-start::wisdom-1 is new and starts at 70%25 of the requests%0A"
    );
    assert!(annotations.starts_with(&warning), "{warning}\n{annotations}");
    let (summary, comment) = (checkout.read("summary.md"), checkout.read("temp/comment.md"));
    for text in [&summary, &comment] {
        assert!(
            text.contains("| `wisdom-0` | 100% | **30%** |") && text.contains("| `wisdom-1` | – | **70%** |"),
            "{text}"
        );
        assert!(text.contains("<summary>create <code>InferenceService models/wisdom-1</code></summary>"), "{text}");
    }
    assert!(comment.chars().count() <= COMMENT);
}

#[test]
fn an_invalid_release_ends_the_job_at_its_line() {
    let broken = CANDIDATE.replace("environment: kserve-modelmesh-istio", "environment: kserve-modelmesh-istoi");
    let checkout = Checkout::new(INITIAL, &broken);
    let output = checkout.run(&steps()[0]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(printed(&output).starts_with("::error file=values.yaml,line=1,col=14,"), "{}", printed(&output));
    assert!(checkout.read("summary.md").contains("unknown environment"), "{}", checkout.read("summary.md"));
}
