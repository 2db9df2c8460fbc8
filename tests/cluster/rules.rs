//! The judge of the traffic rules, on recordings made by hand: it finds a violation of each, and nothing else.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Event, Happened, Recording, Rules, Sequence, Wait, files, violations};

/// A recording that grows; ten seconds lie between two events.
#[derive(Clone, Default)]
struct Tape(Recording);

impl Tape {
    fn add(&mut self, happened: Happened, object: Value) -> &mut Tape {
        let revision = self.0.events.len() as u64 + 1;
        let seen = Duration::from_secs(10 * revision);
        self.0.events.push(Event { revision, seen, happened, object });
        self
    }

    /// The next event follows the one before at once.
    fn hurried(&mut self) -> &mut Tape {
        let events = &mut self.0.events;
        if let [.., before, last] = events.as_mut_slice() {
            last.seen = before.seen + Duration::from_millis(100);
        }
        self
    }

    fn write(&mut self, object: Value) -> &mut Tape {
        self.add(Happened::Written, object)
    }

    fn delete(&mut self, object: Value) -> &mut Tape {
        self.add(Happened::Deleted, object)
    }

    /// A Deployment that is written and rolled out.
    fn ready(&mut self, name: &str, image: u64) -> &mut Tape {
        self.write(deployment(name, image, 0, false)).write(deployment(name, image, image, true))
    }

    fn judged(&self) -> Vec<String> {
        violations(&self.0, &Rules::of("a"))
    }
}

/// A Deployment: which image it asks for (its generation too), which one is rolled out, whether it is available.
fn deployment(name: &str, image: u64, rolled_out: u64, available: bool) -> Value {
    let count = u64::from(rolled_out == image);
    json!({
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "n", "generation": image},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": format!("shop:{image}")}]}}},
        "status": {
            "observedGeneration": image, "replicas": 1, "updatedReplicas": count, "availableReplicas": count,
            "conditions": [{"type": "Available", "status": if available { "True" } else { "False" }}],
        },
    })
}

/// A route of Istio by a manager.
fn route_by(manager: &str, weights: &[(&str, u64)]) -> Value {
    let destination = |(name, weight): &(&str, u64)| {
        let host = format!("{name}.n.svc.cluster.local");
        json!({"destination": {"host": host}, "weight": weight})
    };
    let destinations: Vec<Value> = weights.iter().map(destination).collect();
    let managed = json!([{"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": {"f:http": {}}}}]);
    json!({
        "kind": "VirtualService",
        "metadata": {"name": "shop", "namespace": "n", "managedFields": managed},
        "spec": {"http": [{"route": destinations}]},
    })
}

fn route(weights: &[(&str, u64)]) -> Value {
    route_by("helm", weights)
}

#[test]
fn traffic_moves_to_what_is_settled() {
    let mut tape = Tape::default();
    tape.ready("a", 1).write(route(&[("a", 1)])).ready("b", 1).write(route(&[("a", 30), ("b", 70)]));
    assert_eq!(tape.judged(), Vec::<String>::new());
}

#[test]
fn a_share_for_a_version_that_was_never_ready_is_found() {
    let mut tape = Tape::default();
    tape.ready("a", 1).write(deployment("b", 1, 0, false)).write(route(&[("a", 30), ("b", 70)]));
    assert_eq!(tape.judged(), ["share: at 4: Deployment b gets 70.0% after 0.0%: it does not serve"]);
}

#[test]
fn a_larger_share_before_a_change_is_rolled_out_is_found() {
    let mut tape = Tape::default();
    tape.ready("a", 1).ready("b", 1).write(route(&[("a", 50), ("b", 50)]));
    tape.write(deployment("b", 2, 1, true)).write(route(&[("a", 30), ("b", 70)]));
    let expected = ["share: at 7: Deployment b gets 70.0% after 50.0%: it was not settled since its last write"];
    assert_eq!(tape.judged(), expected);
}

#[test]
fn a_share_stays_while_its_version_is_changed() {
    let mut tape = Tape::default();
    tape.ready("a", 1).ready("b", 1).write(route(&[("a", 50), ("b", 50)]));
    tape.write(deployment("b", 2, 1, true)).write(route(&[("a", 1), ("b", 1)]));
    assert_eq!(tape.judged(), Vec::<String>::new());
}

#[test]
fn what_stopped_serving_leaves_its_share_to_what_serves() {
    let mut tape = Tape::default();
    tape.ready("a", 1).ready("b", 1).write(route(&[("a", 50), ("b", 50)])).write(deployment("b", 2, 1, true));
    tape.write(deployment("a", 1, 0, false)).write(route(&[("b", 1)]));
    assert_eq!(tape.judged(), Vec::<String>::new());
    tape.write(deployment("a", 1, 1, true)).write(route(&[("a", 50), ("b", 50)]));
    assert_eq!(tape.judged(), Vec::<String>::new());
}

#[test]
fn the_primary_gets_all_only_when_nothing_serves() {
    let mut tape = Tape::default();
    tape.ready("a", 1).ready("b", 1).write(route(&[("a", 50), ("b", 50)])).write(deployment("a", 1, 0, false));
    let mut other = tape.clone();
    tape.write(deployment("b", 1, 0, false)).write(route(&[("a", 1)]));
    assert_eq!(tape.judged(), Vec::<String>::new());
    assert_eq!(violations(&tape.0, &Rules::of("b").or_primary("a")), Vec::<String>::new());
    assert_eq!(
        violations(&tape.0, &Rules::of("b")),
        ["share: at 8: Deployment a gets 100.0% after 50.0%: it does not serve"]
    );
    other.write(route(&[("a", 1)]));
    assert_eq!(other.judged(), ["share: at 7: Deployment a gets 100.0% after 50.0%: it does not serve"]);
}

#[test]
fn news_that_cannot_have_arrived_are_not_held_against_a_route() {
    let mut tape = Tape::default();
    tape.ready("a", 1).ready("b", 1).write(deployment("b", 1, 0, false)).write(route(&[("b", 1)]));
    assert_eq!(tape.judged(), ["share: at 6: Deployment b gets 100.0% after 0.0%: it does not serve"]);
    tape.hurried();
    assert_eq!(tape.judged(), Vec::<String>::new());
}

#[test]
fn routes_of_others_may_give_shares_as_they_like() {
    let mut tape = Tape::default();
    tape.ready("a", 1).write(deployment("b", 1, 0, false)).write(route_by("iter8-controller", &[("a", 1), ("b", 1)]));
    assert_eq!(tape.judged(), Vec::<String>::new());
}

#[test]
fn a_version_that_goes_while_it_has_a_share_is_found() {
    let mut tape = Tape::default();
    tape.ready("a", 1).ready("b", 1).write(route(&[("a", 50), ("b", 50)])).delete(deployment("b", 1, 1, true));
    assert_eq!(tape.judged(), ["interruption: at 6: Deployment b is deleted while it gets 50.0%"]);
    let mut later = Tape::default();
    later.ready("a", 1).ready("b", 1).write(route(&[("a", 50), ("b", 50)])).write(route(&[("a", 1)]));
    later.delete(deployment("b", 1, 1, true));
    assert_eq!(later.judged(), Vec::<String>::new());
}

#[test]
fn a_version_that_waits_for_its_finalizers_is_deleted_already() {
    let mut tape = Tape::default();
    let mut leaving = deployment("a", 1, 1, true);
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    tape.ready("a", 1).write(route(&[("a", 1)])).write(leaving.clone()).delete(leaving);
    assert_eq!(tape.judged(), ["interruption: at 4: Deployment a is deleted while it gets 100.0%"]);
}

#[test]
fn a_change_that_interrupts_a_version_with_a_share_is_found_unless_r8_warned() {
    let rolling = |surge: Value, unavailable: Value| json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}});
    for (strategy, replicas, interrupts) in [
        (json!({"type": "Recreate"}), 3, true),
        (rolling(json!(0), json!(1)), 1, true),
        (rolling(json!(0), json!(1)), 3, false),
        (rolling(json!(0), json!("25%")), 1, true),
        (rolling(json!("25%"), json!("25%")), 1, false),
        (Value::Null, 1, false),
    ] {
        let with = |mut object: Value| {
            object["spec"]["strategy"] = strategy.clone();
            object["spec"]["replicas"] = json!(replicas);
            for count in ["replicas", "updatedReplicas", "availableReplicas"] {
                let one = object["status"][count].as_u64().unwrap();
                object["status"][count] = json!(one * replicas);
            }
            object
        };
        let mut tape = Tape::default();
        tape.write(with(deployment("a", 1, 0, false))).write(with(deployment("a", 1, 1, true)));
        tape.write(route(&[("a", 1)])).write(with(deployment("a", 2, 1, true)));
        let found =
            ["interruption: at 4: Deployment a is changed, which interrupts it while it gets 100.0%".to_owned()];
        assert_eq!(tape.judged(), if interrupts { found.to_vec() } else { Vec::new() }, "{strategy}");
        assert_eq!(violations(&tape.0, &Rules::of("a").warned_of("a")), Vec::<String>::new());
    }
}

#[test]
fn a_match_and_a_catch_all_are_shares() {
    let mut tape = Tape::default();
    let mut canary = route(&[("a", 1)]);
    let candidate = json!({"match": [{"headers": {"traffic": {"exact": "test"}}}],
                           "route": [{"destination": {"host": "b.n.svc.cluster.local"}}]});
    canary["spec"]["http"].as_array_mut().unwrap().insert(0, candidate);
    tape.ready("a", 1).write(deployment("b", 1, 0, false)).write(canary.clone());
    assert_eq!(tape.judged(), ["share: at 4: Deployment b gets 0.0% and a match after 0.0%: it does not serve"]);
    let mut later = Tape::default();
    later.ready("a", 1).ready("b", 1).write(canary).delete(deployment("b", 1, 1, true));
    assert_eq!(later.judged(), ["interruption: at 6: Deployment b is deleted while it gets 0.0% and a match"]);
}

#[test]
fn an_instant_without_a_route_is_found_unless_the_scenario_wants_it() {
    let mut tape = Tape::default();
    tape.ready("a", 1).write(route(&[("a", 1)])).delete(route(&[("a", 1)])).write(route(&[("a", 1)]));
    assert_eq!(tape.judged(), ["route: at 4: there is no route"]);
    assert_eq!(violations(&tape.0, &Rules::of("a").route_may_end()), Vec::<String>::new());
}

#[test]
fn a_route_that_no_proxy_can_follow_is_found() {
    let mut tape = Tape::default();
    tape.ready("a", 1).ready("b", 1).write(route(&[("a", 0), ("b", 0)]));
    assert_eq!(tape.judged(), ["route: at 5: VirtualService shop: the weights of rule 0 sum to 0"]);
    let mut tape = Tape::default();
    tape.ready("a", 1).write(route(&[("a", 1), ("b", 0)]));
    assert_eq!(tape.judged(), ["route: at 3: VirtualService shop leads to Deployment b, which does not exist"]);
}

/// The recording of a sequence: the object, each change of it, and each status.
fn recorded(sequence: &Sequence, change: &dyn Fn(&mut Value)) -> Tape {
    let mut tape = Tape::default();
    let mut object = sequence.object.clone();
    object["metadata"]["name"] = "m".into();
    object["metadata"]["namespace"] = "n".into();
    tape.write(object.clone());
    for step in &sequence.steps {
        if step.wait == Some(Wait::Changed) {
            change(&mut object);
            tape.write(object.clone());
        }
        if let Some(status) = &step.status {
            object["status"] = status.clone();
            tape.write(object.clone());
        }
    }
    tape
}

/// One sign for each event: `+` where a first route to the version breaks no rule.
fn routable(tape: &Tape) -> String {
    let mut route = route(&[("m", 1)]);
    route["spec"]["http"][0]["route"][0]["headers"]["request"]["set"] = json!({"mm-vmodel-id": "m"});
    let sign = |count: usize| {
        let mut tape = Tape(Recording { events: tape.0.events[..count].to_vec() });
        tape.write(route.clone());
        if violations(&tape.0, &Rules::of("nobody")).is_empty() { '+' } else { '-' }
    };
    (1..=tape.0.events.len()).map(sign).collect()
}

/// The events of a sequence are: the object is created, its statuses, and where the sequence waits for a change, that
/// change. A sign that stands for a step that the sequence calls settled is `+`.
#[test]
fn a_model_is_settled_where_its_sequence_says_so() {
    let expected = [
        ("knative/failed-load", "-----"),
        ("knative/failed-update", "-+-----"),
        // A revision that is not ready keeps its route and its roll-out: by the words, it is settled.
        ("knative/flapping", "-+++++"),
        ("knative/lying-generation", "-++"),
        ("knative/new-model", "------++"),
        ("knative/scaled-to-zero", "-++----++"),
        ("knative/slow-load", "-+------+"),
        ("knative/update", "-+-----+"),
        ("modelmesh/failed-load", "----"),
        ("modelmesh/failed-update", "-+-----+"),
        ("modelmesh/flapping", "--------"),
        ("modelmesh/new-model", "---+"),
        ("modelmesh/no-generation", "-+--+"),
        ("modelmesh/scaled-to-zero", "-++-+"),
        ("modelmesh/slow-load", "----+"),
        ("modelmesh/standby-update", "-++--+"),
        ("modelmesh/update", "-+--+"),
    ];
    let names = files().into_iter().filter(|name| name.starts_with("knative/") || name.starts_with("modelmesh/"));
    let judged: Vec<(String, String)> = names
        .map(|name| {
            let number = std::cell::Cell::new(1);
            let tape = recorded(&Sequence::read(&name), &|object| {
                number.set(number.get() + 1);
                if name == "knative/lying-generation" {
                    object["spec"]["predictor"]["maxReplicas"] = number.get().into();
                } else {
                    let model = format!("s3://models/{}", number.get());
                    object["spec"]["predictor"]["model"]["storageUri"] = model.into();
                }
            });
            let signs = routable(&tape);
            (name, signs)
        })
        .collect();
    let expected = expected.map(|(name, signs)| (name.to_owned(), signs.to_owned()));
    assert_eq!(judged, expected);
}

/// A loaded model on ModelMesh, and what happens to it; the signs of the events after it was loaded.
fn on_modelmesh(changes: &[&dyn Fn(&mut Value)]) -> String {
    let mut sequence = Sequence::read("modelmesh/new-model");
    let mut object = sequence.object.clone();
    object["status"] = sequence.steps.pop().unwrap().status.unwrap();
    on_top_of(sequence.object, object, changes)
}

fn on_top_of(created: Value, mut object: Value, changes: &[&dyn Fn(&mut Value)]) -> String {
    let mut tape = Tape::default();
    let named = |mut object: Value| {
        object["metadata"]["name"] = "m".into();
        object["metadata"]["namespace"] = "n".into();
        object
    };
    tape.write(named(created)).write(named(object.clone()));
    for change in changes {
        change(&mut object);
        tape.write(named(object.clone()));
    }
    let signs = routable(&tape);
    signs.strip_prefix("-+").unwrap_or_else(|| panic!("{signs}")).to_owned()
}

fn load(object: &mut Value) {
    object["spec"]["predictor"]["model"]["storageUri"] = "s3://models/second".into();
}

fn scale(object: &mut Value) {
    object["spec"]["predictor"]["minReplicas"] = json!(2);
}

fn transition(status: &'static str, target: &'static str) -> impl Fn(&mut Value) {
    move |object| {
        object["status"]["modelStatus"]["transitionStatus"] = status.into();
        object["status"]["modelStatus"]["states"]["targetModelState"] = target.into();
    }
}

#[test]
fn a_change_of_how_much_there_is_of_a_model_needs_no_new_proof() {
    assert_eq!(on_modelmesh(&[&scale]), "+");
    assert_eq!(on_modelmesh(&[&load, &scale, &transition("UpToDate", "Loaded"), &transition("UpToDate", "")]), "---+");
    let failed = transition("BlockedByFailedLoad", "FailedToLoad");
    assert_eq!(on_modelmesh(&[&failed, &scale]), "+-");
}

#[test]
fn a_model_on_modelmesh_is_proven_by_a_status_that_is_up_to_date_after_the_change() {
    let finalizer = |object: &mut Value| object["metadata"]["finalizers"] = json!(["iter8.tools/finalizer"]);
    assert_eq!(on_modelmesh(&[&load, &finalizer]), "--");
    assert_eq!(on_modelmesh(&[&load, &transition("InProgress", ""), &transition("UpToDate", "")]), "--+");
}

#[test]
fn a_model_on_knative_is_settled_when_its_revision_is_rolled_out() {
    let sequence = Sequence::read("knative/update");
    let mut object = sequence.object.clone();
    object["status"] = sequence.steps[0].status.clone().unwrap();
    let revision = |names: &'static [&'static str]| {
        move |object: &mut Value| {
            for name in names {
                object["status"]["components"]["predictor"][name] = "second".into();
            }
        }
    };
    let ready = revision(&["latestCreatedRevision", "latestReadyRevision"]);
    assert_eq!(on_top_of(sequence.object, object, &[&load, &ready, &revision(&["latestRolledoutRevision"])]), "--+");
}

#[test]
fn a_deployment_is_settled_when_its_rollout_is_complete() {
    for (field, short) in [("observedGeneration", 1), ("updatedReplicas", 0), ("availableReplicas", 0), ("replicas", 2)]
    {
        let mut tape = Tape::default();
        let mut rolling = deployment("a", 2, 2, true);
        rolling["status"][field] = json!(short);
        tape.write(rolling).write(route(&[("a", 1)]));
        let expected = "share: at 2: Deployment a gets 100.0% after 0.0%: it was not settled since its last write";
        assert_eq!(tape.judged(), [expected], "{field}");
    }
}
