use proptest::prelude::*;
use serde_json::json;

use super::pack::{base64, from_base64, go_json, unpack};
use super::*;

/// The data of a record that Helm wrote.
fn golden(name: &str) -> (Vec<u8>, BTreeMap<String, String>) {
    let path = format!("{}/testdata/records/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let secret: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let data = from_base64(secret["data"]["release"].as_str().unwrap().as_bytes()).unwrap();
    (data, serde_json::from_value(secret["metadata"]["labels"].clone()).unwrap())
}

/// The JSON of a record as it was packed.
fn packed_json(data: &[u8]) -> String {
    use std::io::Read;
    let mut text = String::new();
    flate2::read::GzDecoder::new(from_base64(data).unwrap().as_slice()).read_to_string(&mut text).unwrap();
    text
}

fn written(revision: &Revision) -> String {
    String::from_utf8(go_json(&revision.to_json()).unwrap()).unwrap()
}

#[test]
fn records_of_helm_4_are_written_again_byte_for_byte() {
    for name in ["helm-4.3.1-v1", "helm-4.3.1-v3", "helm-4.3.1-v4"] {
        let (data, _) = golden(name);
        assert_eq!(written(&Revision::decode(&data).unwrap()), packed_json(&data), "{name}");
    }
}

#[test]
fn records_of_helm_3_are_written_again_without_the_empty_time() {
    for name in ["helm-3.22.0-v1", "helm-3.22.0-v3"] {
        let (data, _) = golden(name);
        let expected = packed_json(&data).replacen("\"deleted\":\"\",", "", 1);
        assert_eq!(written(&Revision::decode(&data).unwrap()), expected, "{name}");
    }
}

#[test]
fn a_record_of_helms_says_what_helm_says_of_it() {
    let revision = Revision::decode(&golden("helm-4.3.1-v3").0).unwrap();
    assert_eq!((revision.name.as_str(), revision.namespace.as_str(), revision.number), ("shop", "gold", 3));
    assert_eq!(revision.info.status, Status::Superseded);
    assert_eq!(revision.info.description, "Rollback to 1");
    assert_eq!(revision.info.rollback_revision, Some(1));
    assert_eq!(revision.info.first_deployed, Time::parse("2026-11-25T09:06:56.806517781Z"));
    assert_eq!(revision.info.last_deployed, Time::parse("2026-11-25T09:06:57.813779269Z"));
    assert_eq!(revision.info.deleted, None);
    assert_eq!(revision.info.notes, "Welcome to shop\n");
    assert_eq!((revision.chart_label().as_str(), revision.app_version()), ("shop-1.2.3", "7.0"));
    assert_eq!(Value::Object(revision.config.clone()), json!({"color": "red", "nested": {"gone": null}}));
    assert_eq!(revision.chart.as_ref().unwrap().file("README.md").unwrap(), b"hello\n");
    assert_eq!(revision.hooks[0]["name"], "shop-hook");
    assert_eq!(revision.apply_method, ApplyMethod::Server);
    assert!(!revision.is_own());
}

#[test]
fn how_objects_were_written_is_read() {
    let method = |name| Revision::decode(&golden(name).0).unwrap().apply_method;
    assert_eq!(method("helm-4.3.1-v4"), ApplyMethod::Client);
    assert_eq!(method("helm-3.22.0-v1"), ApplyMethod::Unsaid);
}

#[test]
fn a_record_has_the_labels_that_helm_gives_it() {
    let (data, mut labels) = golden("helm-4.3.1-v1");
    let mut revision = Revision::decode(&data).unwrap();
    revision.labels = labels.clone();
    labels.remove("modifiedAt");
    assert_eq!(revision.object_labels(), labels);
    assert_eq!(labels["team"], "models");
    assert_eq!(revision.object_name(), "sh.helm.release.v1.shop.v1");
}

#[test]
fn names_of_records_are_told_from_others() {
    assert_eq!(parse_object_name("sh.helm.release.v1.shop.v12"), Some(("shop", 12)));
    assert_eq!(parse_object_name("sh.helm.release.v1.a.v1.v2"), Some(("a.v1", 2)));
    for other in ["shop.v1", "sh.helm.release.v1.shop", "sh.helm.release.v1.shop.vx", "sh.helm.release.v2.shop.v1"] {
        assert_eq!(parse_object_name(other), None, "{other}");
    }
}

#[test]
fn a_record_of_r8s_is_what_the_specification_asks_for() {
    let info = Info {
        first_deployed: Time::parse("2026-01-01T00:00:00Z"),
        last_deployed: Time::parse("2026-01-02T00:00:00Z"),
        ..Info::new(Status::PendingInstall, "Initial install underway")
    };
    let values = |json: Value| json.as_object().cloned().unwrap();
    let mut chart = Chart::own("0.1.0", values(json!({"a": 1})));
    chart.set_file("r8/route.yaml", b"x");
    chart.set_file("r8/route.yaml", b"hello");
    let mut revision = Revision::new("wisdom", "models", 1, info, Some(chart), values(json!({"b": null})));
    revision.manifest = "---\n".into();
    assert!(revision.is_own());
    assert_eq!(
        written(&revision),
        "{\"name\":\"wisdom\",\"info\":{\"first_deployed\":\"2026-01-01T00:00:00Z\",\"last_deployed\":\"2026-01-02T00:00:00Z\",\
         \"description\":\"Initial install underway\",\"status\":\"pending-install\"},\"chart\":{\"metadata\":{\"name\":\"r8\",\
         \"version\":\"0.1.0\",\"apiVersion\":\"v2\",\"type\":\"application\"},\"lock\":null,\"templates\":[],\"values\":{\"a\":1},\
         \"schema\":null,\"schemamodtime\":\"0001-01-01T00:00:00Z\",\"files\":[{\"name\":\"r8/route.yaml\",\"data\":\"aGVsbG8=\"}]},\
         \"config\":{\"b\":null},\"manifest\":\"---\\n\",\"version\":1,\"namespace\":\"models\",\"apply_method\":\"ssa\"}"
    );
}

#[test]
fn unknown_fields_survive() {
    let json = json!({
        "name": "a", "info": {"status": "deployed", "colour": "red"}, "chart": {"metadata": {"name": "c", "odd": 1}, "x": []},
        "version": 1, "future": {"b": [1]}
    });
    let mut revision = Revision::from_json(json).unwrap();
    revision.info.status = Status::Superseded;
    let again = Revision::from_json(revision.to_json()).unwrap().to_json();
    assert_eq!(again["info"], json!({"status": "superseded", "colour": "red"}));
    assert_eq!((&again["chart"]["metadata"]["odd"], &again["chart"]["x"]), (&json!(1), &json!([])));
    assert_eq!(again["future"], json!({"b": [1]}));
}

#[test]
fn a_record_without_a_chart_is_listed_as_missing() {
    for chart in [json!(null), json!({}), json!({"metadata": null})] {
        let json = json!({"name": "a", "info": {"status": "failed"}, "version": 1, "chart": chart});
        let revision = Revision::from_json(json).unwrap();
        assert_eq!((revision.chart_label().as_str(), revision.app_version()), ("MISSING", "MISSING"));
    }
}

#[test]
fn what_is_wrong_with_a_record_is_said() {
    for (json, said) in [
        ("[]", "`the record` must be an object, found a list"),
        ("{}", "`name` is absent"),
        (r#"{"version": 1}"#, "`name` is absent"),
        (r#"{"name": "a", "version": 1}"#, "`info` is absent"),
        (r#"{"name": "a", "version": 0, "info": {"status": "failed"}}"#, "`version` is absent"),
        (r#"{"name": "a", "version": -1}"#, "`version` must be a whole number, found -1"),
        (r#"{"name": "a", "version": 1, "info": {}}"#, "`info.status` is absent"),
        (
            r#"{"name": "a", "version": 1, "info": {"status": "gone"}}"#,
            "`info.status` must be one of Helm's words for a status, found \"gone\"",
        ),
        (
            r#"{"name": "a", "version": 1, "info": {"status": "failed", "deleted": "2026-01-01 00:00:00"}}"#,
            "`info.deleted` must be a time as in `2026-01-31T10:00:00Z`, found \"2026-01-01 00:00:00\"",
        ),
        (
            r#"{"name": "a", "version": 1, "info": {"status": "failed"}, "chart": {"metadata": {"version": 1}}}"#,
            "`chart.metadata.version` must be a text, found 1",
        ),
        (r#"{"version": 1, "apply_method": "x"}"#, "`apply_method` must be `ssa` or `csa`, found \"x\""),
        ("{", "the data is no JSON: EOF while parsing an object at line 1 column 1"),
    ] {
        let error = Revision::decode(base64(json.as_bytes()).as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), said);
        assert!(error.hint().contains("delete it"));
    }
}

#[test]
fn a_record_that_no_api_server_takes_is_refused() {
    let info = Info::new(Status::Deployed, "");
    let mut revision = Revision::new("a", "b", 1, info, None, Map::new());
    // Digits of a fraction that does not repeat: gzip finds nothing to save.
    let mut state = 1_u64;
    let mut digit = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'!' + (state >> 33) as u8 % 90)
    };
    revision.manifest = (0..1_000_000).map(|_| digit()).collect();
    let error = revision.encode().unwrap_err();
    assert!(matches!(error, RecordError::Full(bytes) if bytes > MAX_PACKED), "{error}");
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        // A float that is whole is written as Go writes it, and read as an integer.
        any::<f64>().prop_filter("has a fraction", |float| float.fract() != 0.0).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,4}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn json_map() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("[a-z<>&]{1,4}", json_value(), 0..4).prop_map(|map| map.into_iter().collect())
}

fn time() -> impl Strategy<Value = Option<Time>> {
    prop::option::of(
        "20[0-9]{2}-(0[1-9]|1[0-2])-[01][1-9]T1[0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]0[1-9]:[0-5]0)",
    )
    .prop_map(|text| text.and_then(|text| Time::parse(&text)))
}

prop_compose! {
    fn info()(
        times in (time(), time(), time()),
        description in any::<String>(),
        status in prop::sample::select(Status::ALL.map(|(status, _)| status).to_vec()),
        rollback_revision in prop::option::of(1_u64..),
        notes in any::<String>(),
        more in json_map().prop_map(unlike(&INFO)),
    ) -> Info {
        let (first_deployed, last_deployed, deleted) = times;
        Info { first_deployed, last_deployed, deleted, description, status, rollback_revision, notes, more }
    }
}

/// Fields that are not those of a list.
fn unlike(known: &'static [&'static str]) -> impl Fn(Map<String, Value>) -> Map<String, Value> {
    move |map| map.into_iter().filter(|(key, value)| !known.contains(&key.as_str()) && !value.is_null()).collect()
}

prop_compose! {
    fn revision()(
        names in ("[a-z]{1,9}", "[a-z]{0,9}"),
        number in 1_u64..,
        info in info(),
        values in prop::option::of(json_map()),
        config in json_map(),
        manifest in any::<String>(),
        hooks in prop::collection::vec(json_value(), 0..3),
        apply_method in prop::sample::select(vec![ApplyMethod::Unsaid, ApplyMethod::Client, ApplyMethod::Server]),
        more in json_map().prop_map(unlike(&RECORD)),
    ) -> Revision {
        let (name, namespace) = names;
        let chart = values.map(|values| Chart::own("1.0.0", values));
        let labels = BTreeMap::new();
        Revision { name, namespace, number, info, chart, config, manifest, hooks, apply_method, labels, more }
    }
}

proptest! {
    #[test]
    fn every_record_is_read_back(revision in revision()) {
        let packed = revision.encode().unwrap();
        prop_assert_eq!(Revision::decode(packed.as_bytes()).unwrap(), revision);
    }

    #[test]
    fn no_json_makes_it_panic(json in json_map()) {
        let packed = base64(&serde_json::to_vec(&json).unwrap());
        let _ = Revision::decode(packed.as_bytes());
    }

    #[test]
    fn a_changed_byte_makes_no_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (mut data, _) = golden("helm-4.3.1-v1");
        let at = at.index(data.len());
        data[at] = byte;
        let _ = Revision::decode(&data);
        let mut json = serde_json::to_vec(&unpack(&golden("helm-4.3.1-v1").0).unwrap()).unwrap();
        let at = at % json.len();
        json[at] = byte;
        let _ = Revision::decode(base64(&json).as_bytes());
    }
}
