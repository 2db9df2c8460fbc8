//! Helm and r8 on each other's records: `R8_TEST_INTEROP=1` builds the real Helm.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use r8::cluster::records::Driver;
use r8::record::{ApplyMethod, Status, StoredRoute};
use serde_json::{Value, json};

use super::{create, outline, release, route, with_records};
use crate::harness::{Cluster, Namespace, control_plane};
use crate::parts::{build, wanted};
use crate::shop::{printed, told};

/// Which Helm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Helm {
    Three,
    Four,
}

impl Helm {
    /// The program, built once.
    pub fn program(self) -> &'static Path {
        static THREE: OnceLock<PathBuf> = OnceLock::new();
        static FOUR: OnceLock<PathBuf> = OnceLock::new();
        match self {
            Helm::Three => THREE.get_or_init(|| build("helm3", "helm.sh/helm/v3/cmd/helm", "helm3")),
            Helm::Four => FOUR.get_or_init(|| build("helm", "helm.sh/helm/v4/cmd/helm", "helm4")),
        }
    }
}

/// The programs that are compared, on one driver and in one namespace.
pub struct Both<'a> {
    pub helm: Helm,
    pub cluster: &'a Cluster,
    pub namespace: &'a Namespace,
    pub driver: &'a str,
}

impl Both<'_> {
    pub fn run(&self, mut command: Command, args: &[&str]) -> Output {
        command.args(args).args(["-n", &self.namespace.name]).env("HELM_DRIVER", self.driver).env("TZ", "UTC");
        command.output().unwrap()
    }

    pub fn try_helm(&self, args: &[&str]) -> Output {
        self.run(self.cluster.command(self.helm.program()), args)
    }

    pub fn helm(&self, args: &[&str]) -> String {
        let output = self.try_helm(args);
        assert!(output.status.success(), "helm {args:?}: {}", told(&output));
        printed(&output)
    }

    /// What r8 prints, whatever it says beside it.
    pub fn r8_says(&self, args: &[&str]) -> String {
        let output = self.run(self.cluster.r8(), args);
        assert!(output.status.success(), "r8 {args:?}: {}", told(&output));
        printed(&output)
    }

    fn r8(&self, args: &[&str]) -> String {
        let output = self.run(self.cluster.r8(), args);
        assert!(output.status.success(), "r8 {args:?}: {}", told(&output));
        assert_eq!(told(&output), "", "r8 {args:?}");
        printed(&output)
    }

    /// Both print the same; r8 prints no blanks at the end of a line.
    fn same(&self, args: &[&str]) {
        let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        assert_eq!(trimmed(&self.r8(args)), trimmed(&self.helm(args)), "{args:?}");
    }

    /// Both print the same JSON.
    pub fn same_json(&self, args: &[&str]) -> Value {
        let args = [args, &["-o", "json"]].concat();
        let [own, helms] = [self.r8(&args), self.helm(&args)].map(|text| serde_json::from_str::<Value>(&text).unwrap());
        assert_eq!(own, helms, "{args:?}");
        own
    }

    /// Every command prints the same of a release with these revisions.
    fn all_the_same(&self, revisions: &[&str]) {
        // Helm 3 lists all releases only when it is asked for them.
        let all: &[&str] = if self.helm == Helm::Three { &["--all"] } else { &[] };
        for args in [
            &[][..],
            &["--filter", "^sh.p$"],
            &["--filter", "^hop"],
            &["--max", "1"],
            &["--max", "1", "--offset", "1"],
            &["--selector", "team=models"],
            &["-l", "team!=models"],
            &["--short"],
            &["--no-headers"],
        ] {
            self.same(&[&["list"], all, args].concat());
            self.same_json(&[&["list"], all, args].concat());
        }
        for args in [&["--superseded"][..], &["--deployed"], &["--pending", "--failed"]] {
            self.same(&[&["list"], args].concat());
            self.same_json(&[&["list"], args].concat());
        }
        self.same(&[&["list", "-o", "yaml"], all].concat());
        for args in [&["history", "shop"][..], &["history", "shop", "--max", "2"]] {
            self.same(args);
            self.same_json(args);
            self.same(&[args, &["-o", "yaml"]].concat());
        }
        if self.helm == Helm::Four {
            self.same(&["history", "shop", "--show-rollback-revision"]);
            // Helm 3 does not say which of two releases of one second comes first.
            self.same(&["list", "--date"]);
            self.same(&["list", "--date", "--reverse"]);
        }
        self.of_a_revision(&[]);
        for revision in revisions {
            self.of_a_revision(&["--revision", revision]);
        }
    }

    fn of_a_revision(&self, which: &[&str]) {
        self.same_json(&[&["get", "values", "shop"], which].concat());
        self.same_json(&[&["get", "values", "shop", "--all"], which].concat());
        self.same(&[&["get", "values", "shop"], which].concat());
        self.same(&[&["get", "manifest", "shop"], which].concat());
        // Helm 3 leaves lines out.
        if self.helm == Helm::Four {
            self.same(&[&["get", "all", "shop"], which].concat());
        }
    }
}

fn chart() -> String {
    format!("{}/testdata/records/chart", env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test]
async fn of_helms_records_r8_says_what_helm_says() {
    let Some(cluster) = control_plane().filter(|_| wanted()) else { return };
    for (helm, driver) in [(Helm::Four, "secret"), (Helm::Four, "configmap"), (Helm::Three, "secret")] {
        let namespace = cluster.namespace("helms", &[]).await;
        let both = Both { helm, cluster, namespace: &namespace, driver };
        let chart = chart();
        let chart = chart.as_str();
        // Numbers that Go and r8 write in other forms of YAML are left out.
        let plain = ["--set", "huge=null,tiny=null"];
        let set = |args: &[&str]| both.helm(&[args, &plain[..]].concat());
        set(&["install", "shop", chart, "--set-json", "nested={\"gone\":null}", "-l", "team=models"]);
        set(&["upgrade", "shop", chart, "--set", "color=<green>&", "--description", "to green"]);
        both.helm(&["rollback", "shop", "1"]);
        set(&["install", "gone", chart]);
        both.helm(&["uninstall", "gone", "--keep-history"]);
        both.all_the_same(&["1", "2", "3"]);
        let lists = both.same_json(&["list", "--uninstalled"]);
        assert_eq!(lists[0]["name"], "gone");
    }
}

#[tokio::test]
async fn of_r8s_records_helm_says_what_r8_says() {
    let Some(cluster) = control_plane().filter(|_| wanted()) else { return };
    let cases = [
        (Helm::Four, Driver::Secret, "secret"),
        (Helm::Four, Driver::ConfigMap, "configmap"),
        (Helm::Three, Driver::Secret, "secret"),
    ];
    for (helm, driver, name) in cases {
        let namespace = cluster.namespace("ours", &[]).await;
        let both = Both { helm, cluster, namespace: &namespace, driver: name };
        with_records(cluster.kubeconfig().into(), driver, async |records| {
            create(&records, &namespace, &[Status::Superseded, Status::Failed, Status::Deployed]).await;
        })
        .await;
        both.all_the_same(&["1", "2", "3"]);
        let list = both.same_json(&["list"]);
        assert_eq!(
            list,
            json!([{"name": "shop", "namespace": namespace.name, "revision": "3", "updated": "2027-01-15 08:00:03.123 +0000 UTC",
                "status": "deployed", "chart": "r8-0.1.0", "app_version": ""}])
        );
        let status: Value = serde_json::from_str(&both.helm(&["status", "shop", "-o", "json"])).unwrap();
        assert_eq!((&status["info"]["status"], &status["version"]), (&"deployed".into(), &3.into()));
    }
}

#[tokio::test]
async fn helm_rolls_back_and_uninstalls_what_r8_made() {
    let Some(cluster) = control_plane().filter(|_| wanted()) else { return };
    for helm in [Helm::Four, Helm::Three] {
        let namespace = cluster.namespace("taken", &[]).await;
        let both = Both { helm, cluster, namespace: &namespace, driver: "secret" };
        with_records(cluster.kubeconfig().into(), Driver::Secret, async |records| {
            create(&records, &namespace, &[Status::Superseded, Status::Deployed]).await;
            let live = &r8::manifest::read_documents(&super::manifest(&namespace.name, "2")).unwrap()[0];
            namespace.apply_as("helm", live).await;
            both.helm(&["rollback", "shop", "1"]);
            let live = namespace.get("ConfigMap", "shop").await.unwrap();
            assert_eq!(live["data"], json!({"revision": "1"}));
            let (kept, broken) = records.revisions(&release(&namespace)).await.unwrap();
            assert_eq!(outline(&kept), [(1, Status::Superseded), (2, Status::Superseded), (3, Status::Deployed)]);
            assert!(broken.is_empty());
            let newest = &kept[2].revision;
            // Helm 3 does not know how objects were written, nor which revision was gone back to.
            let (method, number) = match helm {
                Helm::Three => (ApplyMethod::Unsaid, None),
                Helm::Four => (ApplyMethod::Server, Some(1)),
            };
            assert_eq!((newest.apply_method, newest.info.rollback_revision), (method, number));
            assert_eq!(newest.labels["team"], "models");
            assert_eq!(StoredRoute::read(newest.chart.as_ref().unwrap()).unwrap(), Some(route()));
            both.all_the_same(&["3"]);
            both.helm(&["upgrade", "shop", &chart(), "--set", "huge=null,tiny=null"]);
            both.all_the_same(&["3", "4"]);
            both.helm(&["uninstall", "shop"]);
            assert_eq!(records.history(&release(&namespace)).await.unwrap(), []);
        })
        .await;
    }
}
