//! The README's check of a pull request: its steps are run as a runner runs them, in a repository with two branches.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use r8::manifest::read_documents;
use serde_json::Value;

/// What GitHub takes as the body of a comment, in characters.
const COMMENT: usize = 65_536;

/// A step, with the shell that the workflow says for it.
struct Step {
    run: String,
    shell: Option<String>,
}

/// The steps that need no runner: all but the one that installs r8 and the one that asks GitHub.
fn steps() -> Vec<Step> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let begin = readme.find("# .github/workflows/review.yaml").unwrap();
    let block = readme[begin..].split("```").next().unwrap();
    let workflow = read_documents(block).unwrap().remove(0);
    let job = &workflow["jobs"]["review"];
    let step = |step: &Value| {
        let shells = [&step["shell"], &job["defaults"]["run"]["shell"], &workflow["defaults"]["run"]["shell"]];
        let shell = shells.into_iter().find_map(Value::as_str).map(str::to_owned);
        Some(Step { run: step["run"].as_str()?.to_owned(), shell })
    };
    let steps = job["steps"].as_array().unwrap();
    let runs: Vec<Step> = steps.iter().filter_map(step).collect();
    assert_eq!((runs.len(), steps.len()), (7, 8));
    let own = |step: &Step| !["cargo install ", "gh "].iter().any(|program| step.run.starts_with(program));
    runs.into_iter().filter(own).collect()
}

/// A checkout of a pull request, as the runner has it.
struct Checkout {
    folder: tempfile::TempDir,
}

impl Checkout {
    /// One whose main branch has these values, or none, and the pull request those.
    fn new(main: Option<&str>, request: &str) -> Checkout {
        let checkout = Checkout { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(checkout.path("work")).unwrap();
        fs::create_dir(checkout.path("temp")).unwrap();
        if let Some(main) = main {
            fs::write(checkout.path("work/values.yaml"), main).unwrap();
        }
        let git = "git init -q && git add . && git -c user.name=a -c user.email=a@example.org commit -q --allow-empty -m main && git \
                   update-ref refs/remotes/origin/main HEAD";
        let output = checkout.run(git, Some("bash"));
        assert!(output.status.success(), "{output:?}");
        fs::write(checkout.path("work/values.yaml"), request).unwrap();
        checkout
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a script with the runner's variables, and with its words for a shell: those of `jobs.<job_id>.steps[*].shell` in
    /// GitHub's syntax of workflows.
    fn run(&self, script: &str, shell: Option<&str>) -> Output {
        let r8 = Path::new(env!("CARGO_BIN_EXE_r8")).parent().unwrap();
        let path = format!("{}:{}", r8.display(), std::env::var("PATH").unwrap());
        let words: &[&str] = match shell {
            None => &["-e"],
            Some("bash") => &["--noprofile", "--norc", "-eo", "pipefail"],
            Some(other) => panic!("no step has shell {other}"),
        };
        fs::write(self.path("temp/step.sh"), script).unwrap();
        let mut bash = Command::new("bash");
        bash.args(words).arg(self.path("temp/step.sh")).current_dir(self.path("work"));
        bash.env_clear().env("PATH", path).env("HOME", self.folder.path()).env("CI", "true");
        bash.env("GITHUB_WORKSPACE", self.path("work")).env("GITHUB_STEP_SUMMARY", self.path("summary.md"));
        bash.env("RUNNER_TEMP", self.path("temp")).output().unwrap()
    }

    /// Runs the steps up to the first that fails; gives what each printed, and the exit code of the last.
    fn job(&self) -> (Vec<String>, i32) {
        let mut printed = Vec::new();
        for step in steps() {
            let output = self.run(&step.run, step.shell.as_deref());
            printed.push(String::from_utf8([output.stdout, output.stderr].concat()).unwrap());
            if !output.status.success() {
                return (printed, output.status.code().unwrap());
            }
        }
        (printed, 0)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

const INITIAL: &str = include_str!("../testdata/tutorial/initial.yaml");
const CANDIDATE: &str = include_str!("../testdata/tutorial/values.yaml");

/// The candidate's release, the candidate with less than half of the requests.
fn careful() -> String {
    let careful = CANDIDATE.replace("weight: 70", "weight: 20");
    assert_ne!(careful, CANDIDATE);
    careful
}

#[test]
fn a_pull_request_is_annotated_summed_up_and_commented_on_before_a_surprise_ends_the_job() {
    let checkout = Checkout::new(Some(INITIAL), CANDIDATE);
    let (printed, code) = checkout.job();
    assert_eq!((printed.len(), code), (5, 2), "{printed:#?}");
    // The candidate's entry begins in that line.
    let entries = CANDIDATE.lines().enumerate().filter(|(_, line)| line.starts_with("  - "));
    let line = entries.map(|(index, _)| index + 1).nth(1).unwrap();
    let warning = format!(
        "::warning file=values.yaml,line={line},col=5,title=r8 large-start::wisdom-1 is new and starts at 70%25 of the requests%0A"
    );
    assert!(printed[1].starts_with(&warning), "{warning}\n{printed:#?}");
    // One place speaks of it: the other steps annotate nothing.
    assert_eq!(printed.concat().matches("::warning ").count(), 1, "{printed:#?}");
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
fn a_pull_request_that_surprises_nobody_passes() {
    let (printed, code) = Checkout::new(Some(INITIAL), &careful()).job();
    assert_eq!((printed.len(), code), (5, 0), "{printed:#?}");
}

#[test]
fn the_pull_request_that_adds_the_file_passes() {
    let checkout = Checkout::new(None, &careful());
    let (printed, code) = checkout.job();
    assert_eq!((printed.len(), code), (5, 0), "{printed:#?}");
    assert!(printed[1].contains(" is empty: nothing is taken for live"), "{printed:#?}");
    assert!(checkout.read("temp/comment.md").contains("**7 to create, 0 to update, 0 to delete, 0 unchanged**"));
}

#[test]
fn a_main_branch_that_is_not_there_ends_the_job() {
    let checkout = Checkout::new(Some(INITIAL), CANDIDATE);
    let output = checkout.run("git update-ref -d refs/remotes/origin/main", None);
    assert!(output.status.success(), "{output:?}");
    let (printed, code) = checkout.job();
    assert_eq!(printed.len(), 1, "{printed:#?}");
    assert_ne!(code, 0, "{printed:#?}");
}

#[test]
fn what_apply_would_refuse_ends_the_job_when_it_is_annotated_and_commented_on() {
    let unrouted = careful().replace("strategy: blue-green", "strategy: none");
    let checkout = Checkout::new(Some(&careful()), &unrouted);
    let (printed, code) = checkout.job();
    assert_eq!((printed.len(), code), (5, 5), "{printed:#?}");
    let line = unrouted.lines().position(|line| line.contains("strategy: none")).unwrap() + 1;
    let error =
        format!("::error file=values.yaml,line={line},col=3,title=r8 route-removed::the strategy is none, but ");
    assert!(printed[1].contains(&error), "{error}\n{printed:#?}");
    assert!(checkout.read("temp/comment.md").contains("the strategy is none, but VirtualService models/wisdom"));
}

#[test]
fn an_invalid_release_ends_the_job_at_its_line() {
    let broken = CANDIDATE.replace("environment: kserve-modelmesh-istio", "environment: kserve-modelmesh-istoi");
    let checkout = Checkout::new(Some(INITIAL), &broken);
    let (printed, code) = checkout.job();
    assert_eq!((printed.len(), code), (2, 2), "{printed:#?}");
    assert!(printed[1].starts_with("::error file=values.yaml,line=1,col=14,"), "{printed:#?}");
    assert!(checkout.read("summary.md").contains("unknown environment"), "{}", checkout.read("summary.md"));
}
