//! Credentials that cannot be used, or that do not come, and how far the server is trusted.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::connect::{LOG_IN, accepted, authority, diff, file, kubeconfig, refused, server, user};
use crate::harness::{Cluster, PATIENCE, cluster, control_plane, eventually};
use crate::shop::{begin, interrupt, told};

/// A kubeconfig whose one user has these credentials.
fn with_user(cluster: &Cluster, folder: &Path, credentials: Value) -> PathBuf {
    let mut other = kubeconfig(cluster);
    other["current-context"] = "admin".into();
    *user(&mut other, "admin") = credentials;
    file(folder, "other", &other)
}

/// A program that `exec` runs.
fn plugin(folder: &Path, script: &str) -> Value {
    let path = folder.join("plugin");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": path, "interactiveMode": "Never"}})
}

/// What a plugin prints for a token.
fn answer(token: &str) -> String {
    let answer =
        json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}});
    format!("cat <<'END'\n{answer}\nEND")
}

fn token(cluster: &Cluster) -> String {
    user(&mut kubeconfig(cluster), "admin")["token"].as_str().unwrap().to_owned()
}

#[test]
fn a_token_that_no_request_can_carry_is_one_error() {
    let Some(cluster) = control_plane() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let start = format!("error: cannot get credentials for the API server {}: ", server(cluster));
    let (ends, holds) = ("ends with a line break", "holds a line break or another control character");
    let error = refused(cluster, 1, &["--kube-token", "a\nb"], &[]);
    assert_eq!(error, format!("{start}the bearer token {holds}\n{LOG_IN}"));
    let error = refused(cluster, 1, &[], &[("HELM_KUBETOKEN", "abc\n")]);
    assert_eq!(error, format!("{start}the bearer token {ends}\n{LOG_IN}"));
    let of = |credentials: Value| {
        let path = with_user(cluster, folder, credentials);
        refused(cluster, 1, &["--kubeconfig", path.to_str().unwrap()], &[])
    };
    assert_eq!(of(json!({"token": "a\nb"})), format!("{start}the bearer token {holds}\n{LOG_IN}"));
    let path = folder.join("token");
    for (text, why) in [("a\nb", format!("its token {holds}")), (" \n", "it is empty".to_owned())] {
        fs::write(&path, text).unwrap();
        let expected = format!("{start}token file `{}`: {why}\n{LOG_IN}", path.display());
        assert_eq!(of(json!({"tokenFile": path})), expected);
    }
    let expected = format!("{start}plugin `{}`: its token {holds}\n{LOG_IN}", folder.join("plugin").display());
    assert_eq!(of(plugin(folder, &answer("a\nb"))), expected);
}

#[test]
fn blanks_around_the_token_of_a_file_are_none_of_it() {
    let Some(cluster) = control_plane() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, format!("{}\n", token(cluster))).unwrap();
    let other = with_user(cluster, folder.path(), json!({"tokenFile": path}));
    accepted(cluster, &["--kubeconfig", other.to_str().unwrap()], &[]);
}

#[test]
fn a_plugin_is_asked_anew_when_its_token_is_over() {
    let Some(cluster) = control_plane() else { return };
    let folder = tempfile::tempdir().unwrap();
    let count = folder.path().join("count");
    // The first answer is over before it is used.
    let over = |token: &str| {
        let status = json!({"token": token, "expirationTimestamp": "2020-01-01T00:00:00Z"});
        json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status})
    };
    let script = format!(
        "if test -e {0}; then {1}\nelse touch {0}; cat <<'END'\n{2}\nEND\nfi",
        count.display(),
        answer(&token(cluster)),
        over("gone")
    );
    let other = with_user(cluster, folder.path(), plugin(folder.path(), &script));
    accepted(cluster, &["--kubeconfig", other.to_str().unwrap()], &[]);
}

#[test]
fn a_plugin_that_hangs_ends_with_the_time_of_the_command() {
    let Some(cluster) = control_plane() else { return };
    let folder = tempfile::tempdir().unwrap();
    // What it leaves behind holds its output open.
    for script in ["exec sleep 1000", "sleep 1000; true"] {
        let other = with_user(cluster, folder.path(), plugin(folder.path(), script));
        let start = Instant::now();
        let error = refused(cluster, 1, &["--kubeconfig", other.to_str().unwrap(), "--timeout", "1s"], &[]);
        assert!(start.elapsed() < PATIENCE, "it did not wait for the plugin");
        let path = folder.path().join("plugin");
        let text = format!("plugin `{}`: it has printed nothing within 1 s", path.display());
        let server = server(cluster);
        assert_eq!(error, format!("error: cannot get credentials for the API server {server}: {text}\n{LOG_IN}"));
    }
}

#[tokio::test]
async fn a_plugin_that_hangs_does_not_keep_who_interrupts_the_command() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("hangs", &[]).await;
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("runs");
    let other =
        with_user(cluster, folder.path(), plugin(folder.path(), &format!("touch {}; sleep 1000", marker.display())));
    let values = ["--set", "environment=deployment,application.strategy=none,application.versions[0].image=shop:1"];
    let before = "error: interrupted before anything was written\nhint: `r8 apply shop -n ";
    for (words, text) in [
        ([&["apply", "shop"][..], &values].concat(), before),
        (vec!["status", "shop"], "error: interrupted\n"),
        (vec!["delete", "shop"], "error: interrupted\n"),
    ] {
        let _ = fs::remove_file(&marker);
        let start = Instant::now();
        let args = [&words[..], &["--kubeconfig", other.to_str().unwrap()]].concat();
        let child = begin(&mut cluster.r8(), &namespace, &args);
        eventually("the plugin runs", async || marker.exists().then_some(())).await;
        interrupt(&child);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{words:?}: {}", told(&output));
        assert!(told(&output).starts_with(text), "{words:?}: {}", told(&output));
        assert!(start.elapsed() < PATIENCE, "it did not wait for the plugin");
    }
}

#[test]
fn a_server_is_not_checked_where_that_is_said() {
    let Some(cluster) = control_plane() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut other = kubeconfig(cluster);
    other["clusters"][0]["cluster"].as_object_mut().unwrap().remove("certificate-authority-data");
    let path = file(folder.path(), "other", &other);
    let other = ["--kubeconfig", path.to_str().unwrap()];
    accepted(cluster, &[&other[..], &["--kube-insecure-skip-tls-verify"]].concat(), &[]);
    accepted(cluster, &other, &[("HELM_KUBEINSECURE_SKIP_TLS_VERIFY", "true")]);
    let off = [&other[..], &["--kube-insecure-skip-tls-verify=false"]].concat();
    for variable in ["true", "false"] {
        let error = refused(cluster, 1, &off, &[("HELM_KUBEINSECURE_SKIP_TLS_VERIFY", variable)]);
        assert!(error.contains(": invalid peer certificate: UnknownIssuer\n"), "{error}");
    }
    let authority = authority(cluster, folder.path());
    let both = ["--kube-insecure-skip-tls-verify", "--kube-ca-file", authority.to_str().unwrap()];
    let error = refused(cluster, 1, &[&other[..], &both].concat(), &[]);
    assert!(error.starts_with("error: no way to the cluster: `--kube-ca-file` says what to check"), "{error}");
}

#[test]
fn a_server_must_have_the_name_that_is_said() {
    let Some(cluster) = control_plane() else { return };
    accepted(cluster, &["--kube-tls-server-name", "kubernetes.default.svc"], &[]);
    accepted(cluster, &[], &[("HELM_KUBETLS_SERVER_NAME", "kubernetes.default.svc")]);
    for (args, variables) in [
        (&["--kube-tls-server-name", "other.example"][..], &[][..]),
        (&[], &[("HELM_KUBETLS_SERVER_NAME", "other.example")]),
    ] {
        let error = refused(cluster, 1, args, variables);
        assert!(
            error.contains(": invalid peer certificate: certificate not valid for name \"other.example\""),
            "{error}"
        );
    }
}

/// Where a pod finds its service account: a place that nothing can move.
const ACCOUNT: &str = "/run/secrets/kubernetes.io/serviceaccount";

#[test]
fn in_a_pod_the_service_account_is_the_way_to_the_cluster() {
    let Some(cluster) = cluster() else { return };
    let own = |script: &str| {
        let mut command = Command::new("unshare");
        // A view of the files of one's own, with an empty /run: /var/run leads there.
        command.args(["--map-root-user", "--mount", "sh", "-ec"]).arg(format!("mount -t tmpfs none /run; {script}"));
        command
    };
    if !own("test -d /var/run/").output().is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "`unshare` gives no view of the files of one's own");
        eprintln!("skipped: `unshare` gives no view of the files of one's own");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), format!("{}\n", token(cluster))).unwrap();
    authority(cluster, folder.path());
    fs::write(folder.path().join("namespace"), "default").unwrap();
    let address = server(cluster);
    let (host, port) = address.strip_prefix("https://").unwrap().split_once(':').unwrap();
    let r8 = env!("CARGO_BIN_EXE_r8");
    let values = "environment=deployment,application.strategy=none,application.versions[0].image=shop:1";
    let run = |account: bool| {
        let copy = if account {
            format!("mkdir -p {ACCOUNT}; cp {}/* {ACCOUNT};", folder.path().display())
        } else {
            String::new()
        };
        let mut command = own(&format!("{copy} exec {r8} diff shop -n default --set {values}"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", "/nonexistent");
        let output =
            command.env("KUBERNETES_SERVICE_HOST", host).env("KUBERNETES_SERVICE_PORT", port).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, stdout, stderr) = run(true);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.starts_with("create Deployment default/shop-0\n"), "{stdout}");
    let (code, _, stderr) = run(false);
    assert!(
        stderr.starts_with("error: no way to the cluster: there is no kubeconfig, and this is no pod\n"),
        "{stderr}"
    );
    assert_eq!(code, Some(1));
}

#[test]
fn a_kubeconfig_that_cannot_be_read_is_invalid_input_with_and_without_a_namespace() {
    let Some(cluster) = control_plane() else { return };
    let hint = "hint: name another file with `--kubeconfig`, or set KUBECONFIG\n";
    let text = "error: the kubeconfig `/nowhere/config` cannot be read: No such file or directory (os error 2)\n";
    assert_eq!(refused(cluster, 2, &["--kubeconfig", "/nowhere/config"], &[]), format!("{text}{hint}"));
    let without = ["list", "--kubeconfig", "/nowhere/config"];
    let output = cluster.r8().args(without).env_remove("HELM_NAMESPACE").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(told(&output), format!("error: `--kubeconfig /nowhere/config`: there is no such file\n{hint}"));
    let (code, _, stderr) = diff(cluster, &["--kubeconfig", "/dev/null"], &[]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(
        stderr.ends_with("hint: the kubeconfig has no contexts; name another file with `--kubeconfig`\n"),
        "{stderr}"
    );
}
