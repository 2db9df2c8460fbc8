//! Random routes, and random requests that often hit their matches: they are made of the matches' own values.

use serde_json::{Map, Value, json};

/// A small generator of pseudo-random numbers: the same routes and requests in every run.
pub struct Random(pub u64);

const VALUES: [&str; 14] =
    ["test-1", "test-2", "test", "TEST-1", "beta", "BETA", "a,b", "a{,2}", "ab", "abcd", "b", "", "te", "test-1,beta"];
const EXPRESSIONS: [&str; 14] = [
    "te.t-[0-9]+",
    "(?i)beta",
    r"\Qa,b\E",
    "a{,2}|b",
    "[[:alpha:]]+-?[0-9]*",
    "^test-1$",
    ".*",
    "te",
    "(a|ab)(c|bcd)?",
    r"\x61b|[^a-z]*",
    "test-1,.*",
    "(?:a|b){1,2}",
    "*",
    r"\w+",
];
const PATHS: [&str; 12] = [
    "/",
    "/v1",
    "/v1/",
    "/v10",
    "/V1/a",
    "/v1/a",
    "/v1/a/b",
    "/v2/models/app/infer",
    "/v2",
    "/v2/a,b",
    "/a//b",
    "/v1%20a",
];
const PATH_EXPRESSIONS: [&str; 6] = ["/v[0-9]/.*", "/V1/a", ".*", "/v1|/v2/.*", "/v1(/[a-z]+)*", "/.{2}"];
const HEADERS: [&str; 5] = ["traffic", "Traffic", "x-user", "X-Other", "user-agent"];
const PARAMETERS: [&str; 3] = ["v", "a", "x-y"];
const METHODS: [&str; 4] = ["GET", "POST", "DELETE", "PUT"];
const HOSTS: [&str; 6] =
    ["app.default", "app.default.svc", "app.default.svc.cluster.local", "App.Default", "app", "other.default"];

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    /// Whether something happens that happens once in `times` times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn one<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    /// A `StringMatch` of Istio.
    fn string_match(&mut self, values: &[&str], expressions: &[&str]) -> Value {
        match self.below(7) {
            0..=2 => json!({"exact": self.one(values)}),
            3 => json!({"prefix": self.one(values).get(..2).unwrap_or("t")}),
            4..=5 => json!({"regex": self.one(expressions)}),
            _ => json!({}),
        }
    }

    fn named(&mut self, names: &[&str]) -> Value {
        let count = 1 + self.below(2);
        let pairs = (0..count).map(|_| (self.one(names).to_owned(), self.string_match(&VALUES, &EXPRESSIONS)));
        pairs.collect::<Map<_, _>>().into()
    }

    /// An `HTTPMatchRequest` of Istio. At Knative's gateways ports are numbered otherwise.
    pub fn istio_match(&mut self, knative: bool) -> Value {
        let mut found = json!({});
        for _ in 0..=self.below(3) {
            match self.below(15) {
                0..=2 => found["headers"] = self.named(&HEADERS),
                3..=5 => {
                    found["uri"] = self.string_match(&PATHS, &PATH_EXPRESSIONS);
                    if self.once_in(3) {
                        found["ignoreUriCase"] = true.into();
                    }
                }
                6 => found["withoutHeaders"] = self.named(&HEADERS),
                7 => found["queryParams"] = self.named(&PARAMETERS),
                8 => found["method"] = self.string_match(&METHODS, &["P.*", "GET|PUT"]),
                9 => found["authority"] = self.string_match(&HOSTS, &["app\\..*", "(?i)app.default(:[0-9]+)?"]),
                10 => found["scheme"] = json!({"exact": self.one(&["http", "https"])}),
                11 if !knative => found["port"] = [80, 8033][self.below(2)].into(),
                12 => {
                    found["gateways"] = json!([self.one(&["mesh", "knative-serving/knative-local-gateway", "other"])])
                }
                13 => found["sourceLabels"] = json!({"app": self.one(&["web", "shop"])}),
                14 => {
                    found["headers"] = json!({self.one(&[":path", ":method", ":authority"]): {
                        "prefix": self.one(&["/v1", "/v1/a?", "P", "app", "GET"])}});
                }
                _ => found["sourceNamespace"] = self.one(&["default", "models"]).into(),
            }
        }
        found
    }

    /// An `HTTPRouteMatch` of the Gateway API.
    pub fn gateway_match(&mut self) -> Value {
        let mut found = json!({});
        for _ in 0..=self.below(3) {
            match self.below(6) {
                0..=1 => found["headers"] = self.conditions(&["traffic", "x-user", "X-Other"]),
                2..=3 => {
                    found["path"] = match self.below(3) {
                        0 => json!({"type": "Exact", "value": self.one(&PATHS)}),
                        1 => json!({"type": "PathPrefix", "value": self.one(&PATHS)}),
                        _ => json!({"type": "RegularExpression", "value": self.one(&PATH_EXPRESSIONS)}),
                    };
                }
                4 => found["queryParams"] = self.conditions(&PARAMETERS),
                _ => found["method"] = self.one(&METHODS).into(),
            }
        }
        found
    }

    fn conditions(&mut self, names: &[&str]) -> Value {
        let first = self.below(names.len());
        let count = 1 + self.below(2);
        let items = (0..count).map(|index| {
            let name = names[(first + index) % names.len()];
            if self.once_in(3) {
                json!({"name": name, "type": "RegularExpression", "value": self.one(&EXPRESSIONS)})
            } else {
                json!({"name": name, "value": self.one(&VALUES)})
            }
        });
        items.collect()
    }

    /// Changes of headers.
    pub fn operations(&mut self) -> Value {
        let pairs = |random: &mut Random| -> Value {
            let count = random.below(3);
            let pairs = (0..count).map(|_| {
                (
                    random.one(&["traffic", "x-user", "x-set", "X-More"]).to_owned(),
                    Value::from(random.one(&["1", "2", "test-1"])),
                )
            });
            // Names that differ in case alone are refused by nobody and mean nothing sure.
            pairs.collect::<Map<_, _>>().into()
        };
        let removed: Vec<&str> = (0..self.below(2)).map(|_| self.one(&["traffic", "x-user", "x-set"])).collect();
        json!({"set": pairs(self), "add": pairs(self), "remove": removed})
    }

    fn value(&mut self, wanted: &Value) -> String {
        let own = wanted["exact"].as_str().or(wanted["value"].as_str()).or(wanted["prefix"].as_str());
        match (own, self.below(8)) {
            (Some(own), 0..=4) if wanted["type"].is_null() => own.to_owned(),
            (Some(own), 5) => format!("{own}{}", self.one(&["x", "/", "/a", "-1"])),
            (Some(own), 6) => own.to_ascii_uppercase(),
            _ => self.one(&VALUES).to_owned(),
        }
    }

    /// A request: as JSON for Istio, with the words for r8. It is made of one of the matches, of which each condition is
    /// sometimes missed.
    pub fn request(&mut self, matches: &[Value], port: u16) -> Asked {
        let wanted = if matches.is_empty() { json!({}) } else { matches[self.below(matches.len())].clone() };
        let mut asked = Asked {
            method: self.one(&METHODS).to_owned(),
            scheme: "http",
            host: if self.once_in(4) { self.one(&HOSTS) } else { "app.default" }.to_owned(),
            port,
            path: self.one(&PATHS).to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            labels: Vec::new(),
        };
        let path = if wanted["uri"].is_object() { &wanted["uri"] } else { &wanted["path"] };
        if path.is_object() && !self.once_in(5) {
            let found = self.value(path);
            if found.starts_with('/') {
                asked.path = found;
            }
        }
        for key in ["headers", "withoutHeaders"] {
            for (name, wanted) in named(&wanted[key]) {
                if !name.starts_with(':') && !self.once_in(5) {
                    let value = self.value(&wanted);
                    asked.headers.push((name, value));
                }
            }
        }
        if self.once_in(4) {
            asked.headers.push((self.one(&HEADERS).to_owned(), self.one(&VALUES).to_owned()));
        }
        for (name, wanted) in named(&wanted["queryParams"]) {
            if !self.once_in(5) {
                let value = self.value(&wanted);
                asked.query.push((name, value));
            }
        }
        if self.once_in(4) {
            asked.query.push((self.one(&PARAMETERS).to_owned(), self.one(&["test-1", "", "a%20b", "x+y"]).to_owned()));
        }
        let method = wanted["method"].as_str().or(wanted["method"]["exact"].as_str());
        if let Some(method) = method.filter(|_| !self.once_in(5)) {
            asked.method = method.to_owned();
        }
        if let Some(host) = wanted["authority"]["exact"].as_str().filter(|_| !self.once_in(5)) {
            asked.host = host.to_owned();
        }
        if wanted["scheme"]["exact"] == "https" && !self.once_in(4) {
            asked.scheme = "https";
        }
        if wanted["sourceLabels"].is_object() && !self.once_in(4) {
            asked.labels.push(("app".to_owned(), wanted["sourceLabels"]["app"].as_str().unwrap().to_owned()));
        }
        asked
    }
}

/// The conditions of a map, or of a list with names.
fn named(conditions: &Value) -> Vec<(String, Value)> {
    match conditions {
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        Value::Array(list) => {
            list.iter().map(|item| (item["name"].as_str().unwrap().to_owned(), item.clone())).collect()
        }
        _ => Vec::new(),
    }
}

/// A request in parts.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub scheme: &'static str,
    pub host: String,
    pub port: u16,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub labels: Vec<(String, String)>,
}

impl Asked {
    /// Path and query.
    fn target(&self) -> String {
        let query: Vec<String> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, query.join("&")) }
    }

    /// Host, and the port where it is not the scheme's own.
    fn authority(&self) -> String {
        let own = if self.scheme == "https" { 443 } else { 80 };
        if self.port == own { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// The words that r8 reads.
    pub fn words(&self) -> (String, Vec<String>) {
        let request = format!("{} {}://{}:{}{}", self.method, self.scheme, self.host, self.port, self.target());
        (request, self.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect())
    }

    /// The question to Istio.
    pub fn question(&self, gateway: Option<&str>) -> Value {
        let mut headers: Map<String, Value> = Map::new();
        for (name, value) in &self.headers {
            let name = name.to_ascii_lowercase();
            let joined = headers.get(&name).map(|before| format!("{},{value}", before.as_str().unwrap()));
            headers.insert(name, joined.unwrap_or_else(|| value.clone()).into());
        }
        let mut question = json!({
            "method": self.method, "scheme": self.scheme, "host": self.authority(), "port": self.port,
            "path": self.target(), "headers": headers, "follow": true,
        });
        match gateway {
            Some(name) => question["gateway"] = json!({"namespace": "knative-serving", "name": name}),
            None => {
                question["namespace"] = "default".into();
                let labels = self.labels.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
                question["labels"] = labels.collect::<Map<_, _>>().into();
            }
        }
        question
    }
}
