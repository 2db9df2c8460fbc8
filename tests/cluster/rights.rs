//! The rights that a user needs: the rules of `testdata/rbac` suffice, and none of them is too much.

mod user;

use serde_json::Value;
use user::{Right, on_objects, rights, user, without};

use crate::harness::{Ask, Cluster, Fault, Namespace, Proxy, What, control_plane, fed};

/// How r8 ended, and what it said.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stderr: String,
}

/// Runs `r8 ARGS… -n NAMESPACE -f -` as a user.
fn r8(cluster: &Cluster, user: &str, namespace: &str, args: &[&str], values: &str) -> Ended {
    let mut command = cluster.r8();
    if !user.is_empty() {
        command.args(["--kube-as-user", user]);
    }
    let output = fed(command.args(args).args(["-n", namespace, "-f", "-"]), values).wait_with_output().unwrap();
    Ended { code: output.status.code(), stderr: String::from_utf8(output.stderr).unwrap() }
}

/// The same without values.
fn bare(cluster: &Cluster, user: &str, namespace: &Namespace, args: &[&str]) -> Ended {
    let mut r8 = cluster.r8();
    let output = r8.args(["--kube-as-user", user]).args(args).args(["-n", &namespace.name]).output().unwrap();
    Ended { code: output.status.code(), stderr: String::from_utf8(output.stderr).unwrap() }
}

const APPLY: [&str; 5] = ["apply", "--drain", "1s", "--timeout", "90s"];

/// A release of an environment with these models; the last of several versions lies in the namespace `other`.
fn values(environment: &str, models: &[&str], other: &str) -> String {
    let version = |(index, model): (usize, &&str)| {
        let model = match environment {
            "deployment-istio" | "deployment-gtw" => format!("image: 'shop:{model}'"),
            _ => format!("modelFormat: sklearn, storageUri: 's3://models/{model}'"),
        };
        let namespace =
            if index > 0 && !other.is_empty() { format!(", metadata: {{namespace: {other}}}") } else { String::new() };
        format!("  - {{{model}, weight: 50{namespace}}}\n")
    };
    let versions: String = models.iter().enumerate().map(version).collect();
    format!(
        "environment: {environment}\napplication:\n  metadata: {{name: shop}}\n  strategy: blue-green\n  versions:\n{versions}"
    )
}

/// The environment whose release has objects of a resource.
fn environment(resource: &str) -> &'static str {
    match resource {
        "inferenceservices" | "serviceentries" => "kserve-modelmesh-istio",
        "httproutes" | "referencegrants" => "deployment-gtw",
        _ => "deployment-istio",
    }
}

/// Where the second version lies: a ReferenceGrant is there for one of another namespace.
fn elsewhere<'a>(environment: &str, other: &'a Namespace) -> &'a str {
    if environment == "deployment-gtw" { &other.name } else { "" }
}

const ENVIRONMENTS: [&str; 3] = ["deployment-istio", "deployment-gtw", "kserve-modelmesh-istio"];

#[tokio::test]
async fn the_rights_of_apply_suffice_for_the_life_of_a_release() {
    let Some(cluster) = control_plane() else { return };
    for environment in [&ENVIRONMENTS[..], &["kserve", "kserve-standard"]].concat() {
        let namespace = cluster.namespace("life", &[Ask::Ready]).await;
        let other = cluster.namespace("life", &[Ask::Ready]).await;
        let user = user(cluster, "applier", &[&namespace.name, &other.name], &rights("apply")).await;
        let other = elsewhere(environment, &other);
        for models in [&["one", "two"][..], &["one", "three"], &["three"]] {
            let values = values(environment, models, other);
            let ended = r8(cluster, &user, &namespace.name, &APPLY, &values);
            assert_eq!(ended.code, Some(0), "{environment}: {ended:?}");
            for word in ["may not", "forbidden", "cannot"] {
                assert!(!ended.stderr.contains(word), "{environment}: {ended:?}");
            }
        }
        assert_eq!(namespace.get("Service", "shop-1").await, None, "{environment}");
        let back = bare(cluster, &user, &namespace, &["rollback", "shop", "--drain", "1s", "--timeout", "90s"]);
        assert_eq!(back.code, Some(0), "{environment}: {back:?}");
    }
}

#[tokio::test]
async fn with_the_rights_of_diff_a_status_says_that_the_revision_is_unknown() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("reads", &[Ask::Ready]).await;
    assert_eq!(r8(cluster, "", &namespace.name, &APPLY, &values("deployment-istio", &["one"], "")).code, Some(0));
    let differ = user(cluster, "differ", &[&namespace.name], &rights("diff")).await;
    let ended = bare(cluster, &differ, &namespace, &["status", "shop"]);
    let said = "warning: cannot list release records (Secrets) in namespace ";
    assert!(ended.code == Some(0) && ended.stderr.contains(said), "{ended:?}");
    let secrets = ["get", "list"].map(|verb| (String::new(), "secrets".to_owned(), verb.to_owned()));
    let more = [rights("diff"), secrets.to_vec()].concat();
    let reader = user(cluster, "reader", &[&namespace.name], &more).await;
    for args in [
        &["status", "shop"][..],
        &["history", "shop"],
        &["list"],
        &["get", "values", "shop"],
        &["diff", "shop", "--reuse-values"],
    ] {
        let ended = bare(cluster, &reader, &namespace, args);
        assert!(ended.code == Some(0) && !ended.stderr.contains("release records"), "{args:?}: {ended:?}");
    }
}

#[tokio::test]
async fn without_the_right_to_read_or_write_a_kind_nothing_is_written() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("unwritten", &[Ask::Ready]).await;
    let other = cluster.namespace("unwritten", &[Ask::Ready]).await;
    for right in on_objects().iter().filter(|(_, _, verb)| ["get", "create", "patch"].contains(&verb.as_str())) {
        let user = user(cluster, "unwritten", &[&namespace.name, &other.name], &without(right)).await;
        let environment = environment(&right.1);
        let values = values(environment, &["one", "two"], elsewhere(environment, &other));
        let ended = r8(cluster, &user, &namespace.name, &APPLY, &values);
        assert_eq!(ended.code, Some(1), "{right:?}: {ended:?}");
        let said = ended.stderr.contains("error: cannot ") && ended.stderr.contains(&format!(" {}", right.1));
        let compared = ended.stderr.contains(": you may not patch or create it\n");
        assert!(said || compared, "{right:?}: {ended:?}");
        for namespace in [&namespace, &other] {
            assert_eq!(namespace.list("Service").await, Vec::<Value>::new(), "{right:?}");
        }
    }
}

#[tokio::test]
async fn without_the_right_to_list_a_kind_it_is_said_that_nothing_of_it_is_pruned() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("unlisted", &[]).await;
    let listed = |role: &str| {
        rights(role)
            .into_iter()
            .filter(|(_, resource, verb)| verb == "list" && !["pods", "events", "secrets"].contains(&resource.as_str()))
    };
    for (role, right) in
        listed("apply").map(|right| ("apply", right)).chain(listed("diff").map(|right| ("diff", right)))
    {
        let rest: Vec<Right> = rights(role).into_iter().filter(|other| *other != right).collect();
        let user = user(cluster, "unlisted", &[&namespace.name], &rest).await;
        let values = values(environment(&right.1), &["one"], "");
        let ended = r8(cluster, &user, &namespace.name, &["diff"], &values);
        assert_eq!(ended.code, Some(0), "{right:?}: {ended:?}");
        let note = ended.stderr.lines().find(|line| line.starts_with("note: objects to prune are unknown for "));
        let kind =
            note.unwrap_or_else(|| panic!("{right:?}: {ended:?}")).split(' ').nth(7).unwrap().trim_end_matches(':');
        assert!(right.1.starts_with(&kind.to_lowercase()[..kind.len() - 1]), "{right:?}: {ended:?}");
    }
}

#[tokio::test]
async fn without_the_right_to_watch_a_kind_it_is_read_again_and_again_and_that_is_said() {
    let Some(cluster) = control_plane() else { return };
    for right in rights("apply").iter().filter(|(_, _, verb)| verb == "watch") {
        let namespace = cluster.namespace("unwatched", &[Ask::Ready]).await;
        let user = user(cluster, "unwatched", &[&namespace.name], &without(right)).await;
        let release = |models: &[&str]| values(environment(&right.1), models, "");
        assert_eq!(r8(cluster, "", &namespace.name, &APPLY, &release(&["one", "two"])).code, Some(0));
        // A promotion waits for its version, and then until requests have left the other.
        let ended = r8(cluster, &user, &namespace.name, &APPLY, &release(&["three"]));
        assert_eq!(ended.code, Some(0), "{right:?}: {ended:?}");
        let said = ended.stderr.lines().find_map(|line| line.strip_suffix(" may not be watched: it is read every 2 s"));
        let kind = said.unwrap_or_else(|| panic!("{right:?}: {ended:?}")).to_lowercase();
        assert_eq!(format!("{kind}s"), right.1, "{ended:?}");
    }
}

#[tokio::test]
async fn without_the_right_to_delete_a_kind_what_was_not_deleted_is_said() {
    let Some(cluster) = control_plane() else { return };
    for right in on_objects().iter().filter(|(_, _, verb)| verb == "delete") {
        let namespace = cluster.namespace("undeleted", &[Ask::Ready]).await;
        let other = cluster.namespace("undeleted", &[Ask::Ready]).await;
        let user = user(cluster, "undeleted", &[&namespace.name, &other.name], &without(right)).await;
        let environment = environment(&right.1);
        let both = values(environment, &["one", "two"], elsewhere(environment, &other));
        assert_eq!(r8(cluster, "", &namespace.name, &APPLY, &both).code, Some(0));
        // The second version goes; with the route, and what was for it alone, where that is asked about.
        let routed = ["virtualservices", "httproutes", "serviceentries"].contains(&right.1.as_str());
        let mut one = values(environment, &["one"], "");
        if routed {
            one = one.replace("blue-green", "none").replace(", weight: 50", "");
        }
        if right.1 == "serviceentries" {
            one = one
                .replace("kserve-modelmesh-istio", "kserve-standard")
                .replace("{modelFormat", "{metadata: {name: new}, modelFormat");
        }
        let ended = r8(cluster, &user, &namespace.name, &[&APPLY[..], &["--remove-route"]].concat(), &one);
        assert_eq!(ended.code, Some(6), "{right:?}: {ended:?}");
        assert!(ended.stderr.contains("error: cannot delete "), "{right:?}: {ended:?}");
        assert!(ended.stderr.contains(&format!(" cannot delete resource \"{}\"", right.1)), "{right:?}: {ended:?}");
        let open = ended.stderr.lines().find(|line| line.starts_with("not written: ")).unwrap();
        assert_ne!(open, "not written: nothing", "{right:?}: {ended:?}");
    }
}

#[tokio::test]
async fn without_the_right_to_its_records_a_release_is_not_begun_or_its_state_is_said() {
    let Some(cluster) = control_plane() else { return };
    for (verb, code, said) in [
        ("list", 1, "error: cannot list release records (Secrets) in namespace "),
        ("create", 1, "error: cannot write Secret "),
        ("get", 6, "error: cannot read Secret "),
        ("update", 6, "error: cannot write Secret "),
        ("delete", 0, "warning: cannot delete Secret "),
    ] {
        let namespace = cluster.namespace("unrecorded", &[Ask::Ready]).await;
        let right = (String::new(), "secrets".to_owned(), verb.to_owned());
        let user = user(cluster, "unrecorded", &[&namespace.name], &without(&right)).await;
        if verb == "delete" {
            let first = values("deployment-istio", &["one"], "");
            assert_eq!(r8(cluster, "", &namespace.name, &APPLY, &first).code, Some(0));
        }
        let args = [&APPLY[..], &["--history-max", "1"]].concat();
        let ended = r8(cluster, &user, &namespace.name, &args, &values("deployment-istio", &["two"], ""));
        assert_eq!(ended.code, Some(code), "{verb}: {ended:?}");
        assert!(ended.stderr.contains(said), "{verb}: {ended:?}");
        if code == 1 {
            assert_eq!(namespace.list("Service").await, Vec::<Value>::new(), "{verb}");
        }
    }
}

#[tokio::test]
async fn without_the_right_to_list_pods_or_events_it_is_said_that_reasons_are_missing() {
    let Some(cluster) = control_plane() else { return };
    for right in rights("apply").iter().filter(|(_, resource, _)| ["pods", "events"].contains(&resource.as_str())) {
        let namespace = cluster.namespace("reasons", &[]).await;
        let user = user(cluster, "reasons", &[&namespace.name], &without(right)).await;
        let values = values("deployment-istio", &["one"], "");
        let ended = r8(cluster, &user, &namespace.name, &["apply", "--timeout", "4s"], &values);
        assert_eq!(ended.code, Some(4), "{right:?}: {ended:?}");
        assert!(ended.stderr.contains(&format!("\n  {}: you may not list them\n", right.1)), "{right:?}: {ended:?}");
    }
}

#[tokio::test]
async fn the_rights_of_diff_suffice_to_compare_field_by_field() {
    let Some(cluster) = control_plane() else { return };
    let other = cluster.namespace("reads", &[Ask::Ready]).await;
    for environment in ENVIRONMENTS {
        let namespace = cluster.namespace("reads", &[Ask::Ready]).await;
        let user = user(cluster, "differ", &[&namespace.name, &other.name], &rights("diff")).await;
        let both = values(environment, &["one", "two"], elsewhere(environment, &other));
        let note = "note: compared field by field: you may not `patch`\n\
                    hint: changes by defaulting and webhooks are not foreseen; the right to `patch` makes it exact\n";
        for _ in 0..2 {
            let ended = r8(cluster, &user, &namespace.name, &["diff"], &both);
            assert!(ended.code == Some(0) && ended.stderr.ends_with(note), "{environment}: {ended:?}");
            assert!(ended.stderr.contains("note: the release records may not be read\n"), "{environment}: {ended:?}");
            assert_eq!(r8(cluster, "", &namespace.name, &APPLY, &both).code, Some(0));
        }
    }
}

#[tokio::test]
async fn without_the_right_to_get_a_kind_a_diff_ends() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("unread", &[]).await;
    let other = cluster.namespace("unread", &[]).await;
    for right in rights("diff").iter().filter(|(_, _, verb)| verb == "get") {
        let rest: Vec<Right> = rights("diff").into_iter().filter(|other| other != right).collect();
        let user = user(cluster, "unread", &[&namespace.name, &other.name], &rest).await;
        let environment = environment(&right.1);
        let both = values(environment, &["one", "two"], elsewhere(environment, &other));
        let ended = r8(cluster, &user, &namespace.name, &["diff"], &both);
        assert_eq!(ended.code, Some(1), "{right:?}: {ended:?}");
        assert!(ended.stderr.contains(&format!(" cannot get resource \"{}\"", right.1)), "{right:?}: {ended:?}");
    }
}

#[tokio::test]
async fn a_namespace_is_created_by_who_may_and_by_nobody_else() {
    let Some(cluster) = control_plane() else { return };
    let values = values("deployment-istio", &["one"], "");
    let args = ["apply", "--create-namespace", "--no-wait"];
    let fresh = cluster.namespace("creates", &[]).await;
    let name = format!("{}-new", fresh.name);
    let creator = user(cluster, "creator", &[], &[rights("apply"), rights("create-namespace")].concat()).await;
    let applier = user(cluster, "creator", &[], &rights("apply")).await;
    let ended = r8(cluster, &applier, &name, &args, &values);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(&format!("error: cannot create namespace {name}: ")), "{ended:?}");
    assert!(ended.stderr.contains("cannot create resource \"namespaces\""), "{ended:?}");
    let ended = r8(cluster, &creator, &name, &args, &values);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let made = Namespace { name, ..fresh };
    assert!(made.get("Deployment", "shop-0").await.is_some());
}

#[tokio::test]
async fn what_admission_refuses_is_no_lack_of_a_right() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("admission", &[]).await;
    let proxy = Proxy::start(cluster, vec![Fault::on("PATCH", "/deployments/shop-0?", What::Status(403))]);
    let values = values("deployment-istio", &["one"], "");
    let mut command = proxy.r8();
    let output = fed(command.args(["diff", "-n", &namespace.name, "-f", "-"]), &values).wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    let start = format!("error: the API server refuses Deployment {}/shop-0: ", namespace.name);
    assert!(told.contains(&start) && !told.contains("ask for the right"), "{told}");
}
