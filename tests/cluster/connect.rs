//! The way to the cluster, as kubectl finds it; a way that does not work is one clear error.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use k8s_openapi::ByteString;
use r8::manifest::read_documents;
use serde_json::{Value, json};

use crate::harness::{Cluster, control_plane};

const VALUES: &str = "environment=deployment,application.strategy=none,application.versions[0].image=shop:1";

/// The cluster's kubeconfig as JSON.
pub fn kubeconfig(cluster: &Cluster) -> Value {
    let text = fs::read_to_string(cluster.kubeconfig()).unwrap();
    read_documents(&text).unwrap().remove(0)
}

/// The server's address.
pub fn server(cluster: &Cluster) -> String {
    kubeconfig(cluster)["clusters"][0]["cluster"]["server"].as_str().unwrap().to_owned()
}

/// A file with a kubeconfig; JSON is YAML.
pub fn file(folder: &Path, name: &str, content: &Value) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content.to_string()).unwrap();
    path
}

/// A file with the certificate that vouches for the server.
pub fn authority(cluster: &Cluster, folder: &Path) -> PathBuf {
    let data = kubeconfig(cluster)["clusters"][0]["cluster"]["certificate-authority-data"].clone();
    let certificate: ByteString = serde_json::from_value(data).unwrap();
    let path = folder.join("ca.crt");
    fs::write(&path, certificate.0).unwrap();
    path
}

/// The credentials of a context.
pub fn user<'a>(kubeconfig: &'a mut Value, name: &str) -> &'a mut Value {
    let users = kubeconfig["users"].as_array_mut().unwrap();
    &mut users.iter_mut().find(|user| user["name"] == name).unwrap()["user"]
}

/// Runs `r8 diff` with more arguments and variables.
pub fn diff(cluster: &Cluster, args: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut r8: Command = cluster.r8();
    r8.args(["diff", "shop", "-n", "default", "--set", VALUES]).args(args).envs(variables.iter().copied());
    let output = r8.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The one error of a `diff` that ends with `code`.
#[track_caller]
pub fn refused(cluster: &Cluster, code: i32, args: &[&str], variables: &[(&str, &str)]) -> String {
    let (found, stdout, stderr) = diff(cluster, args, variables);
    assert_eq!((found, stdout.as_str()), (Some(code), ""), "{args:?} {variables:?}: {stderr}");
    assert_eq!((stderr.matches("error: ").count(), stderr.matches("\nhint: ").count()), (1, 1), "{stderr}");
    stderr
}

#[track_caller]
pub fn accepted(cluster: &Cluster, args: &[&str], variables: &[(&str, &str)]) {
    let (code, stdout, stderr) = diff(cluster, args, variables);
    assert_eq!(code, Some(0), "{args:?} {variables:?}: {stderr}");
    assert!(stdout.starts_with("create Deployment default/shop-0\n"), "{stdout}");
}

pub const LOG_IN: &str = "hint: log in again as for kubectl, or name another user's context with `--kube-context`\n";
const CHECK: &str = "hint: check that `kubectl cluster-info` answers with the same context, or choose another with \
                     `--kube-context`\n";
const NO_WAY: &str = "hint: set KUBECONFIG, or name a file with `--kubeconfig` or a context with `--kube-context`\n";

#[test]
fn every_context_that_may_read_is_accepted() {
    let Some(cluster) = control_plane() else { return };
    for context in ["admin", "certificate", "exec", "reader"] {
        accepted(cluster, &["--kube-context", context], &[]);
        accepted(cluster, &[], &[("HELM_KUBECONTEXT", context)]);
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_named_with_the_cause() {
    let Some(cluster) = control_plane() else { return };
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("https://{}", silent.local_addr().unwrap());
    for (server, cause) in [
        ("https://127.0.0.1:1", "Connection refused (os error 111)"),
        // Nobody there ever says a word: given up long before the time of the command is over.
        (silent.as_str(), "deadline has elapsed"),
    ] {
        let error = refused(cluster, 1, &["--kube-apiserver", server, "--timeout", "10m"], &[]);
        assert_eq!(error, format!("error: cannot reach the API server {server}: {cause}\n{CHECK}"));
        assert_eq!(refused(cluster, 1, &[], &[("HELM_KUBEAPISERVER", server)]), error);
    }
    let error = refused(cluster, 1, &["--kube-apiserver", "https://r8.invalid"], &[]);
    assert!(error.starts_with("error: cannot reach the API server https://r8.invalid: failed to lookup"), "{error}");
    for server in ["nonsense", "127.0.0.1:6443"] {
        let error = refused(cluster, 1, &["--kube-apiserver", server], &[]);
        let text = "is no address of a server; write it as in `https://HOST:6443`";
        assert_eq!(error, format!("error: no way to the cluster: `{server}` {text}\n{NO_WAY}"));
    }
}

#[test]
fn programs_are_told_in_json_what_kept_a_diff_from_the_cluster() {
    let Some(cluster) = control_plane() else { return };
    let server = "https://127.0.0.1:1";
    let (code, stdout, stderr) = diff(cluster, &["-o", "json", "--kube-apiserver", server], &[]);
    let message = format!("cannot reach the API server {server}: Connection refused (os error 111)");
    let hint = CHECK.trim_end().strip_prefix("hint: ").unwrap();
    assert_eq!((code, stderr), (Some(1), format!("error: {message}\n{CHECK}")));
    let finding = json!({"severity": "error", "rule": "cluster", "message": message, "hint": hint, "place": null});
    let want = json!({"apiVersion": "r8/v1", "kind": "Diff", "verdict": "nothing was compared", "findings": [finding]});
    assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap(), want);
}

#[test]
fn a_server_that_nobody_vouches_for_is_not_talked_to() {
    let Some(cluster) = control_plane() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut other = kubeconfig(cluster);
    other["clusters"][0]["cluster"].as_object_mut().unwrap().remove("certificate-authority-data");
    let other = file(folder.path(), "other", &other);
    let error = refused(cluster, 1, &["--kubeconfig", other.to_str().unwrap()], &[]);
    let server = server(cluster);
    let cause = "invalid peer certificate: UnknownIssuer";
    assert_eq!(error, format!("error: cannot reach the API server {server}: {cause}\n{CHECK}"));

    let path = authority(cluster, folder.path());
    let (other, path) = (other.to_str().unwrap(), path.to_str().unwrap());
    accepted(cluster, &["--kubeconfig", other, "--kube-ca-file", path], &[]);
    accepted(cluster, &["--kubeconfig", other], &[("HELM_KUBECAFILE", path)]);
    let error = refused(cluster, 1, &["--kube-ca-file", "/nowhere/ca.crt"], &[]);
    let text = "`/nowhere/ca.crt`: No such file or directory (os error 2)";
    assert_eq!(error, format!("error: no way to the cluster: {text}\n{NO_WAY}"));
}

#[test]
fn credentials_that_are_not_accepted_are_said() {
    let Some(cluster) = control_plane() else { return };
    let error =
        format!("error: the API server {} does not accept the credentials: Unauthorized\n{LOG_IN}", server(cluster));
    assert_eq!(refused(cluster, 1, &["--kube-context", "expired"], &[]), error);
    // A token wins over every credential of the context.
    for context in ["admin", "certificate", "exec"] {
        assert_eq!(refused(cluster, 1, &["--kube-context", context, "--kube-token", "none"], &[]), error);
        assert_eq!(refused(cluster, 1, &["--kube-context", context], &[("HELM_KUBETOKEN", "none")]), error);
    }
    let token = user(&mut kubeconfig(cluster), "admin")["token"].as_str().unwrap().to_owned();
    accepted(cluster, &["--kube-context", "expired", "--kube-token", &token], &[]);
}

#[test]
fn a_token_and_a_server_need_no_kubeconfig() {
    let Some(cluster) = control_plane() else { return };
    let folder = tempfile::tempdir().unwrap();
    let token = user(&mut kubeconfig(cluster), "admin")["token"].as_str().unwrap().to_owned();
    let path = authority(cluster, folder.path());
    let args = ["--kube-apiserver", &server(cluster), "--kube-ca-file", path.to_str().unwrap(), "--kube-token", &token];
    let home = folder.path().to_str().unwrap();
    accepted(cluster, &args, &[("KUBECONFIG", ""), ("HOME", home)]);
    let error = refused(cluster, 1, &[], &[("KUBECONFIG", ""), ("HOME", home)]);
    assert_eq!(error, format!("error: no way to the cluster: there is no kubeconfig, and this is no pod\n{NO_WAY}"));
}

#[test]
fn what_the_user_may_not_do_is_said_with_the_user() {
    let Some(cluster) = control_plane() else { return };
    for (args, variables, user) in [
        (&["--kube-context", "nobody"][..], &[][..], "nobody"),
        (&["--kube-as-user", "somebody"], &[], "somebody"),
        (&[], &[("HELM_KUBEASUSER", "somebody")], "somebody"),
    ] {
        // Which of the objects is read first is not known.
        let error = refused(cluster, 1, args, variables);
        assert!(error.starts_with("error: cannot read "), "{error}");
        assert!(error.contains(&format!(" is forbidden: User \"{user}\" cannot get resource \"")), "{error}");
        assert!(error.ends_with("\nhint: ask for the right, or use a context whose user has it\n"), "{error}");
    }
}

#[test]
fn whoever_may_act_as_another_does_so_with_the_others_groups() {
    let Some(cluster) = control_plane() else { return };
    accepted(cluster, &["--kube-as-user", "somebody", "--kube-as-group", "system:masters"], &[]);
    accepted(cluster, &["--kube-as-user", "somebody"], &[("HELM_KUBEASGROUPS", "none,system:masters")]);
    let error = refused(cluster, 1, &["--kube-as-group", "system:masters"], &[]);
    let text = "`--kube-as-group` needs the user of `--kube-as-user`";
    assert_eq!(error, format!("error: no way to the cluster: {text}\n{NO_WAY}"));
    let error = refused(cluster, 1, &["--kube-context", "reader", "--kube-as-user", "admin"], &[]);
    assert!(error.contains("User \"reader\" cannot impersonate"), "{error}");
}

#[test]
fn a_context_that_is_not_there_or_not_whole_is_said_with_those_that_are() {
    let Some(cluster) = control_plane() else { return };
    let folder = tempfile::tempdir().unwrap();
    let all = "admin, certificate, exec, expired, nobody, reader, secretless";
    let hint = format!("hint: name one with `--kube-context`: {all}");
    let error = refused(cluster, 2, &["--kube-context", "nowhere"], &[]);
    assert_eq!(error, format!("error: the kubeconfig has no context `nowhere`\n{hint}\n"));
    let cluster_name = kubeconfig(cluster)["contexts"][0]["context"]["cluster"].clone();
    for (current, more, problem) in [
        (json!(null), json!(null), "the kubeconfig has no current context".to_owned()),
        (json!("gone"), json!(null), "the kubeconfig has no context `gone`".to_owned()),
        (
            json!("half"),
            json!({"cluster": cluster_name, "user": "ghost"}),
            "context `half` names the user `ghost`, which the kubeconfig lacks".to_owned(),
        ),
        (
            json!("half"),
            json!({"cluster": "ghost", "user": "admin"}),
            "context `half` names the cluster `ghost`, which the kubeconfig lacks".to_owned(),
        ),
    ] {
        let mut broken = kubeconfig(cluster);
        broken["current-context"] = current;
        let mut hint = hint.clone();
        if !more.is_null() {
            broken["contexts"].as_array_mut().unwrap().push(json!({"name": "half", "context": more}));
            hint += ", half";
        }
        let path = file(folder.path(), "broken", &broken);
        let error = refused(cluster, 2, &["--kubeconfig", path.to_str().unwrap()], &[]);
        assert_eq!(error, format!("error: {problem}\n{hint}\n"));
    }
}

#[test]
fn several_kubeconfigs_are_one_and_those_that_are_missing_are_passed_over() {
    let Some(cluster) = control_plane() else { return };
    let folder = tempfile::tempdir().unwrap();
    let parts = ["clusters", "users", "contexts"].map(|kept| {
        let mut part = kubeconfig(cluster);
        for other in ["clusters", "users", "contexts"] {
            if other != kept {
                part[other] = json!([]);
            }
        }
        if kept != "contexts" {
            part.as_object_mut().unwrap().remove("current-context");
        }
        file(folder.path(), kept, &part).to_str().unwrap().to_owned()
    });
    accepted(cluster, &[], &[("KUBECONFIG", &parts.join(":"))]);
    accepted(cluster, &[], &[("KUBECONFIG", &format!("/nowhere/config:{}", parts.join("::")))]);
}

#[test]
fn a_kubeconfig_that_cannot_be_read_is_named_without_its_content() {
    let Some(cluster) = control_plane() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken");
    fs::write(&path, "users: [{name: me, user: {token: sesame}}\n").unwrap();
    let error = refused(cluster, 2, &["--kubeconfig", path.to_str().unwrap()], &[]);
    assert!(error.starts_with(&format!("error: the kubeconfig `{}` cannot be read: ", path.display())), "{error}");
    assert!(!error.contains("sesame"), "{error}");
}

#[test]
fn a_plugin_that_fails_is_named_with_what_it_says_and_not_with_what_it_knows() {
    let Some(cluster) = control_plane() else { return };
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("plugin");
    let path = plugin.to_str().unwrap();
    let mut other = kubeconfig(cluster);
    other["current-context"] = "exec".into();
    user(&mut other, "exec")["exec"]["command"] = path.into();
    user(&mut other, "exec")["exec"]["env"] = json!([{"name": "PASSWORD", "value": "sesame"}]);
    let other = file(folder.path(), "other", &other);
    let said = |cause: &str| {
        let error = refused(cluster, 1, &["--kubeconfig", other.to_str().unwrap()], &[]);
        let server = server(cluster);
        let text = format!("cannot get credentials for the API server {server}: plugin `{path}`: {cause}");
        assert_eq!(error, format!("error: {text}\n{LOG_IN}"));
    };
    said("No such file or directory (os error 2)");
    for (script, cause) in [
        ("echo sesame; exit 1", "it fails (exit status: 1)"),
        ("echo the session is over >&2; exit 3", "the session is over (exit status: 3)"),
        ("true", "its answer has no `status`"),
        ("echo sesame: [", "its answer is no JSON"),
    ] {
        fs::write(&plugin, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&plugin, fs::Permissions::from_mode(0o700)).unwrap();
        said(cause);
    }
}

#[test]
fn a_client_certificate_that_cannot_be_read_is_named() {
    let Some(cluster) = control_plane() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut other = kubeconfig(cluster);
    *user(&mut other, "certificate") =
        json!({"client-certificate": "/nowhere/me.crt", "client-key": "/nowhere/me.key"});
    let other = file(folder.path(), "other", &other);
    let error = refused(cluster, 1, &["--kubeconfig", other.to_str().unwrap(), "--kube-context", "certificate"], &[]);
    let start = format!("error: cannot get credentials for the API server {}: ", server(cluster));
    assert!(error.starts_with(&start) && error.contains("/nowhere/me.crt"), "{error}");
}
