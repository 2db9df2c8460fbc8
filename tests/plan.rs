//! `plan::next` without a server: every order of events for one to three versions, and in each the traffic rules hold.
//!
//! The world here is small: a version is absent, loading, serving an older spec, down, failed, or settled. Whenever the
//! plan waits, every version may change in every way that is possible for it, or time passes. Whatever `next` then says
//! is checked against rules that are written here, from the specification.

#[path = "plan/world.rs"]
mod world;

use std::time::Duration;

use r8::plan::{Goal, Outcome, Warning};
use world::{Release, Start, World, all_orders};

/// A release with these versions: model, weight, and what else stands in the entry.
fn release(environment: &str, strategy: &str, versions: &[(&str, u32)]) -> Release {
    let entries: Vec<String> = versions
        .iter()
        .map(|(model, weight)| match environment {
            "deployment-istio" | "deployment-gtw" => format!("  - {{image: '{model}', weight: {weight}}}\n"),
            _ => format!("  - {{modelFormat: sklearn, storageUri: 's3://m/{model}', weight: {weight}}}\n"),
        })
        .collect();
    Release::parse(&format!(
        "environment: {environment}\napplication:\n  metadata: {{name: app}}\n  strategy: {strategy}\n  versions:\n{}",
        entries.concat()
    ))
}

const ENVIRONMENTS: [&str; 4] = ["deployment-istio", "deployment-gtw", "kserve-modelmesh-istio", "kserve-standard"];

#[test]
fn a_first_install_routes_only_to_what_is_ready() {
    for environment in ENVIRONMENTS {
        for versions in [&[("a", 1)][..], &[("a", 30), ("b", 70)], &[("a", 20), ("b", 30), ("c", 50)]] {
            let wanted = release(environment, "blue-green", versions);
            all_orders(&World::new(None, &wanted, Goal::default()));
        }
    }
}

#[test]
fn a_candidate_gets_requests_only_when_it_is_ready() {
    for environment in ENVIRONMENTS {
        let before = release(environment, "blue-green", &[("a", 1)]);
        let wanted = release(environment, "blue-green", &[("a", 30), ("b", 70)]);
        all_orders(&World::new(Some(&before), &wanted, Goal::default()));
    }
}

#[test]
fn a_promotion_keeps_the_split_until_the_primary_is_ready() {
    for environment in ENVIRONMENTS {
        let before = release(environment, "blue-green", &[("a", 30), ("b", 70)]);
        let wanted = release(environment, "blue-green", &[("b", 1)]);
        all_orders(&World::new(Some(&before), &wanted, Goal::default()));
    }
}

#[test]
fn versions_changed_in_place_keep_their_shares_while_they_serve() {
    for environment in ENVIRONMENTS {
        let before = release(environment, "blue-green", &[("a", 30), ("b", 70)]);
        let wanted = release(environment, "blue-green", &[("c", 60), ("d", 40)]);
        all_orders(&World::new(Some(&before), &wanted, Goal::default()));
    }
    let before = release("deployment-istio", "blue-green", &[("a", 30), ("b", 70), ("c", 10)]);
    let wanted = release("deployment-istio", "blue-green", &[("d", 30), ("b", 70), ("e", 10)]);
    all_orders(&World::new(Some(&before), &wanted, Goal::default()));
}

/// Deployments of which some are stopped before new pods start: image, weight, and whether that is so.
fn recreated(versions: &[(&str, u32, bool)]) -> Release {
    let entries: Vec<String> = versions
        .iter()
        .map(|(image, weight, recreate)| {
            let strategy = if *recreate { "Recreate" } else { "RollingUpdate" };
            format!(
                "  - image: {image}\n    weight: {weight}\n    deploymentSpecification:\n      spec:\n        strategy: {{type: \
                 {strategy}}}\n        selector: {{matchLabels: {{app: x}}}}\n        template: {{metadata: {{labels: {{app: x}}}}, \
                 spec: {{containers: [{{name: x, image: {image}}}]}}}}\n"
            )
        })
        .collect();
    Release::parse(&format!(
        "environment: deployment-istio\napplication:\n  metadata: {{name: app}}\n  strategy: blue-green\n  versions:\n{}",
        entries.concat()
    ))
}

#[test]
fn a_change_that_interrupts_waits_until_requests_have_left() {
    for (before, wanted) in [
        (&[("a", 50, false), ("b", 50, true)][..], &[("a", 50, false), ("c", 50, true)][..]),
        // Beside one that is changed in place, and one that goes.
        (&[("a", 50, false), ("b", 50, true)], &[("d", 50, false), ("c", 50, true)]),
        (&[("a", 50, true), ("b", 50, false)], &[("c", 1, true)]),
        // Several, one after the other.
        (&[("a", 50, true), ("b", 50, true)], &[("c", 50, true), ("d", 50, true)]),
        (&[("a", 50, true), ("b", 30, true), ("e", 20, false)], &[("c", 50, true), ("d", 30, true), ("e", 20, false)]),
        // The only one that there is: r8 warns.
        (&[("a", 1, true)], &[("c", 1, true)]),
    ] {
        let (before, wanted) = (recreated(before), recreated(wanted));
        let ends = all_orders(&World::new(Some(&before), &wanted, Goal::default()));
        assert!(ends.contains(&Outcome::Done), "{ends:?}");
        let goal = Goal { wait: false, ..Goal::default() };
        let ends = all_orders(&World::new(Some(&before), &wanted, goal));
        assert!(ends.iter().all(|end| matches!(end, Outcome::Remains(..))), "{ends:?}");
    }
}

#[test]
fn what_all_versions_need_changes_when_the_new_ones_are_ready() {
    let named = |environment: &str, name: &str| {
        Release::parse(&format!(
            "environment: {environment}\napplication:\n  metadata: {{name: app}}\n  strategy: blue-green\n  port: 8080\n  \
             versions:\n  - {{metadata: {{name: {name}}}, image: x}}\n"
        ))
    };
    let (before, wanted) = (named("deployment-istio", "a"), named("deployment-gtw", "b"));
    let world = World::new(Some(&before), &wanted, Goal::default());
    assert!(world.reshapes(), "the case has no object whose spec changes");
    assert!(all_orders(&world).contains(&Outcome::Done));
}

#[test]
fn a_route_goes_after_its_routemap_and_before_the_versions() {
    let goal = Goal { remove_route: true, ..Goal::default() };
    for environment in ["deployment-istio", "kserve-standard"] {
        let before = release(environment, "blue-green", &[("a", 30), ("b", 70)]);
        let wanted = release(environment, "none", &[("a", 1)]).without_routemap();
        assert!(all_orders(&World::new(Some(&before), &wanted, goal.clone())).contains(&Outcome::Done));
    }
}

#[test]
fn versions_under_new_names_take_over_when_the_old_ones_stop() {
    let named = |names: &[&str]| {
        let entries = names.iter().map(|name| format!("  - {{metadata: {{name: {name}}}, image: x, weight: 1}}\n"));
        Release::parse(&format!(
            "environment: deployment-istio\napplication:\n  metadata: {{name: app}}\n  strategy: blue-green\n  versions:\n{}",
            entries.collect::<String>()
        ))
    };
    for (before, wanted) in [(&["a"][..], &["b"][..]), (&["a"], &["b", "c"]), (&["a", "b"], &["b", "c"])] {
        all_orders(&World::new(Some(&named(before)), &named(wanted), Goal::default()));
    }
}

#[test]
fn a_candidate_that_goes_is_deleted_after_its_requests() {
    for environment in ENVIRONMENTS {
        let before = release(environment, "blue-green", &[("a", 30), ("b", 70)]);
        let wanted = release(environment, "blue-green", &[("a", 1)]);
        all_orders(&World::new(Some(&before), &wanted, Goal::default()));
    }
}

#[test]
fn canaries_and_mirrors_hold_to_the_same_rules() {
    for environment in ENVIRONMENTS {
        let before = release(environment, "canary", &[("a", 1), ("b", 1)]);
        for wanted in [&[("a", 1), ("c", 1)][..], &[("b", 1)], &[("d", 1), ("b", 1)]] {
            all_orders(&World::new(Some(&before), &release(environment, "canary", wanted), Goal::default()));
        }
        let blue_green = release(environment, "blue-green", &[("a", 30), ("b", 70)]);
        all_orders(&World::new(Some(&before), &blue_green, Goal::default()));
    }
    for environment in ["deployment-istio", "kserve-standard"] {
        let before = release(environment, "mirror", &[("a", 1), ("b", 50)]);
        let wanted = release(environment, "mirror", &[("a", 1), ("c", 20)]);
        all_orders(&World::new(Some(&before), &wanted, Goal::default()));
    }
}

#[test]
fn a_version_of_weight_0_does_not_fail_a_release() {
    let before = release("deployment-istio", "blue-green", &[("a", 1)]);
    let wanted = release("deployment-istio", "blue-green", &[("a", 100), ("b", 0)]);
    let world = World::new(Some(&before), &wanted, Goal::default());
    let ends = all_orders(&world);
    assert!(!ends.contains(&Outcome::NotReady(vec![1])), "{ends:?}");
}

#[test]
fn who_does_not_wait_gets_a_route_of_what_is_ready_now() {
    for environment in ENVIRONMENTS {
        let goal = Goal { wait: false, ..Goal::default() };
        let before = release(environment, "blue-green", &[("a", 30), ("b", 70)]);
        for wanted in [&[("b", 1)][..], &[("a", 1)], &[("a", 50), ("b", 20), ("c", 30)], &[("a", 50), ("c", 50)]] {
            let wanted = release(environment, "blue-green", wanted);
            all_orders(&World::new(Some(&before), &wanted, goal.clone()));
            all_orders(&World::new(None, &wanted, goal.clone()));
        }
    }
}

#[test]
fn a_route_that_nobody_accepts_deletes_nothing() {
    let before = release("deployment-gtw", "blue-green", &[("a", 30), ("b", 70)]);
    let wanted = release("deployment-gtw", "blue-green", &[("a", 1)]);
    let mut world = World::new(Some(&before), &wanted, Goal::default());
    world.start = Start::NeverInForce;
    let ends = all_orders(&world);
    assert!(ends.contains(&Outcome::NotInForce) && !ends.contains(&Outcome::Done), "{ends:?}");
}

#[test]
fn what_is_as_it_is_wanted_is_not_touched() {
    let before = release("kserve-standard", "blue-green", &[("a", 30), ("b", 70)]);
    let ends = all_orders(&World::new(Some(&before), &before, Goal::default()));
    assert_eq!(ends, [Outcome::Done]);
}

#[test]
fn what_is_as_it_is_wanted_is_waited_for_without_a_write() {
    let before = release("kserve-standard", "blue-green", &[("a", 30), ("b", 70)]);
    let mut world = World::new(Some(&before), &before, Goal::default());
    world.start = Start::OneDown;
    let ends = all_orders(&world);
    let late = |end: &Outcome| *end == Outcome::NotReady(vec![1]);
    assert!(ends.contains(&Outcome::Done) && ends.iter().any(late), "{ends:?}");
    let mut world = World::new(Some(&before), &before, Goal { wait: false, ..Goal::default() });
    world.start = Start::OneDown;
    assert_eq!(all_orders(&world), [Outcome::Remains(vec![1], Vec::new())]);
}

#[test]
fn no_wait_is_longer_than_the_timeout() {
    let goal = Goal { timeout: Duration::from_secs(5), ..Goal::default() };
    let wanted = release("kserve-standard", "blue-green", &[("a", 30), ("b", 70)]);
    let ends = all_orders(&World::new(None, &wanted, goal));
    assert!(ends.iter().any(|end| matches!(end, Outcome::NotReady(_))), "{ends:?}");
}

#[test]
fn who_wants_no_pods_for_a_version_with_requests_is_warned() {
    let scaled = |replicas: u32, weight: u32| {
        let wanted = Release::parse(&format!(
            "environment: deployment-istio\napplication:\n  metadata: {{name: app}}\n  strategy: blue-green\n  versions:\n  - \
             {{image: a, weight: 1}}\n  - weight: {weight}\n    deploymentSpecification:\n      spec: {{replicas: {replicas}, \
             selector: {{matchLabels: {{app: x}}}}, template: {{metadata: {{labels: {{app: x}}}}, spec: {{containers: []}}}}}}\n"
        ));
        World::new(None, &wanted, Goal::default()).warnings().to_vec()
    };
    assert_eq!(scaled(0, 50), [Warning::Off("app-1".into())]);
    assert_eq!(
        Warning::Off("app-1".into()).to_string(),
        "requests to app-1 fail: its Deployment is to have 0 replicas"
    );
    assert_eq!((scaled(1, 50), scaled(0, 0)), (vec![], vec![]));
}

/// Models in ModelMesh, each with its namespace.
fn placed(versions: &[(&str, &str, u32)]) -> Release {
    let entry = |(model, namespace, weight): &(&str, &str, u32)| {
        format!(
            "  - {{modelFormat: sklearn, storageUri: 's3://m/{model}', weight: {weight}, metadata: {{namespace: {namespace}}}}}\n"
        )
    };
    Release::parse(&format!(
        "environment: kserve-modelmesh-istio\napplication:\n  metadata: {{name: app}}\n  strategy: blue-green\n  versions:\n{}",
        versions.iter().map(entry).collect::<String>()
    ))
}

#[test]
fn a_model_that_moves_to_another_namespace_goes_after_its_requests_though_the_route_stays_as_it_is() {
    for (before, wanted) in [
        (&[("a", "old", 1)][..], &[("a", "new", 1)][..]),
        (&[("a", "old", 30), ("b", "old", 70)], &[("a", "old", 30), ("b", "new", 70)]),
        (&[("a", "old", 30), ("b", "old", 70)], &[("a", "new", 30), ("b", "new", 70)]),
        (&[("a", "old", 30), ("b", "old", 70)], &[("a", "new", 50), ("c", "old", 50)]),
    ] {
        for wait in [true, false] {
            let world = World::new(Some(&placed(before)), &placed(wanted), Goal { wait, ..Goal::default() });
            assert!(world.drains(), "{before:?} {wanted:?}");
            let ends = all_orders(&world);
            assert!(!wait || ends.contains(&Outcome::Done), "{ends:?}");
        }
    }
}
