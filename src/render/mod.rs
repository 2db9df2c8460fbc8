//! From a release to its objects and its route.

mod check;
mod context;
mod engine;
mod error;
mod trace;

use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::Value;

pub use error::{RenderError, RenderErrors};

use crate::manifest::{Manifest, Manifests, Role, read_documents};
use crate::parallel;
use crate::route::{Route, RouteError};
use crate::spec::ReleaseSpec;
use crate::templates::Catalog;
use context::Context;
use error::Place;

/// The API server's limit for a ConfigMap's data, in bytes.
const MAX_ROUTEMAP: usize = 1024 * 1024;
/// The most bytes that all templates of a release may write.
const MAX_WRITTEN: usize = 32 * 1024 * 1024;
/// API groups whose objects are printed in the version that [`Options::api_version`] names.
const VERSIONED: [&str; 2] = ["networking.istio.io/", "gateway.networking.k8s.io/"];

/// A release's objects, its routemap, and its route with the weights still open.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// Support, versions and weight configurations.
    pub manifests: Manifests,
    /// The routemap of the Iter8 controller.
    pub routemap: Option<Manifest>,
    /// The route; none where nothing is routed.
    pub route: Option<Route>,
}

/// What of the routing is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routing {
    /// The routemap and the route.
    Both,
    /// The routemap and the weight configurations.
    Routemap,
    /// The route alone.
    Route,
}

/// Version in which objects of Istio and the Gateway API are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiVersion {
    /// `v1beta1`, as the Iter8 chart writes them.
    V1beta1,
    /// `v1`.
    V1,
}

/// How a release is printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What of the routing.
    pub routing: Routing,
    /// Which version of the routing objects.
    pub api_version: ApiVersion,
    /// Indexes of the versions taken for ready; all when none.
    pub ready: Option<Vec<usize>>,
}

/// Renders every template of the release's environment and strategy.
///
/// # Errors
///
/// A template that fails, or that writes something which is no object; two objects with one key.
pub fn render(spec: &ReleaseSpec, catalog: &Catalog) -> Result<Rendered, RenderErrors> {
    let engine = engine::engine(catalog, spec.application.versions.len());
    let stage = Stage { engine, catalog, spec, context: Context::new(spec), written: AtomicUsize::new(0) };
    let mut list = Vec::new();
    stage.once("support.yaml.j2", Role::Support, &mut list)?;
    stage.each("version.yaml.j2", &mut list)?;
    stage.each("weights.yaml.j2", &mut list)?;
    let route = stage.route()?;
    let routemap = stage.routemap(route.as_ref())?;
    stage.whole(&list, routemap.as_ref())?;
    Ok(Rendered { manifests: Manifests::new(list)?, routemap, route })
}

struct Stage<'a> {
    engine: minijinja::Environment<'static>,
    catalog: &'a Catalog,
    spec: &'a ReleaseSpec,
    context: Context,
    /// Bytes that the templates have written.
    written: AtomicUsize,
}

/// What a template has written, with the names that it was given.
struct Written<'a> {
    path: &'a str,
    text: &'a str,
    names: Value,
}

impl Stage<'_> {
    fn find(&self, file: &str) -> Option<String> {
        self.catalog.find(&self.spec.environment, file)
    }

    fn text(&self, path: &str, context: Value) -> Result<String, RenderErrors> {
        let template = self.engine.get_template(path);
        let text = template.and_then(|template| template.render(context));
        let text = text.map_err(|error| RenderErrors::template(&error, path, self.catalog))?;
        if self.written.fetch_add(text.len(), Ordering::Relaxed) + text.len() > MAX_WRITTEN {
            return Err(RenderErrors::too_much(path, MAX_WRITTEN, self.catalog));
        }
        Ok(text)
    }

    fn once(&self, file: &str, role: Role, list: &mut Vec<Manifest>) -> Result<(), RenderErrors> {
        let Some(path) = self.find(file) else { return Ok(()) };
        let names = self.context.once(Vec::new());
        let text = self.text(&path, names.clone())?;
        self.objects(&Written { path: &path, text: &text, names }, role, list)
    }

    fn each(&self, file: &str, list: &mut Vec<Manifest>) -> Result<(), RenderErrors> {
        let Some(path) = self.find(file) else { return Ok(()) };
        let weights = file == "weights.yaml.j2";
        let versions = self.spec.application.versions.iter().zip(self.context.each());
        let versions: Vec<_> = versions.filter(|(version, _)| !weights || version.has_config).collect();
        let made: Vec<Result<Vec<Manifest>, RenderErrors>> = parallel::map(&versions, |(version, names)| {
            let role = if weights { Role::Weights(version.index) } else { Role::Version(version.index) };
            let (mut list, names) = (Vec::new(), names.clone());
            let text = self.text(&path, names.clone())?;
            self.objects(&Written { path: &path, text: &text, names }, role, &mut list)?;
            Ok(list)
        });
        for objects in made {
            list.extend(objects?);
        }
        Ok(())
    }

    fn objects(&self, written: &Written<'_>, role: Role, list: &mut Vec<Manifest>) -> Result<(), RenderErrors> {
        let documents = read_documents(written.text)
            .map_err(|error| RenderErrors::text(&self.place(written, Some(error.line)), &error, written.text))?;
        for (index, object) in documents.into_iter().enumerate() {
            let wrong =
                |message| RenderErrors::written(&self.place(written, trace::document(written.text, index)), message);
            let manifest =
                Manifest::from_object(object, written.path, role).map_err(|error| wrong(error.to_string()))?;
            match check::object(&manifest) {
                Some(message) => return Err(wrong(message)),
                None => list.push(manifest),
            }
        }
        Ok(())
    }

    /// Where the line of a text comes from, as far as that can be told.
    fn place(&self, written: &Written<'_>, line: Option<usize>) -> Place {
        let &Written { path, text, ref names } = written;
        let versions = self.spec.application.versions.len();
        let found = line.and_then(|line| trace::origin(self.catalog, versions, path, names.clone(), text, line));
        // What r8's own template writes wrongly is the fault of the one that includes it.
        let found = found.filter(|(file, _)| self.catalog.is_own(file));
        let (file, line) = found.map_or((path.to_owned(), None), |(file, line)| (file, Some(line)));
        Place { own: self.catalog.is_own(&file), file, line }
    }

    fn route(&self) -> Result<Option<Route>, RenderErrors> {
        let application = &self.spec.application;
        if application.strategy == "none" {
            return Ok(None);
        }
        let file = format!("{}/route.yaml.j2", application.strategy);
        let Some(path) = self.find(&file) else {
            return Err(RenderErrors::missing(&format!("{}/{file}", self.spec.environment.name)));
        };
        let names = self.context.once(Vec::new());
        let open = self.text(&path, names.clone())?;
        let wanted = application.versions.iter().map(|version| version.weight).collect();
        let route = Route::new(open.clone(), wanted, &path).map_err(|error| {
            let document = usize::from(matches!(error, RouteError::Count(count) if count > 1));
            let line = error.line().or_else(|| trace::document(&open, document));
            RenderErrors::route(&self.place(&Written { path: &path, text: &open, names: names.clone() }, line), &error)
        })?;
        if let Some(message) = check::empty_rule(&route) {
            let written = Written { path: &path, text: &open, names };
            return Err(RenderErrors::written(&self.place(&written, trace::document(&open, 0)), message));
        }
        Ok(Some(route))
    }

    fn routemap(&self, route: Option<&Route>) -> Result<Option<Manifest>, RenderErrors> {
        let (Some(path), Some(spec_path)) = (self.find("routemap.yaml.j2"), self.find("str-spec.yaml.j2")) else {
            return Ok(None);
        };
        let mut names = Vec::new();
        if let (Some(route), Some(rule)) = (route, &self.spec.environment.table.route) {
            let text = Value::from_safe_string(indented(route.open().trim_end()));
            let resource = Value::from(rule.resource.clone());
            names.push(("route", minijinja::context! { gvrShort => resource, text => text }));
        }
        let mut str_spec = self.text(&spec_path, self.context.once(names))?;
        if !str_spec.ends_with('\n') {
            str_spec.push('\n');
        }
        let names = self.context.once(vec![("str_spec", Value::from(str_spec))]);
        let text = self.text(&path, names.clone())?;
        let mut list = Vec::new();
        self.objects(&Written { path: &path, text: &text, names }, Role::Routemap, &mut list)?;
        Ok(list.pop())
    }
}

/// A text as a literal block of the routemap holds it.
fn indented(text: &str) -> String {
    let mut block = String::with_capacity(text.len() * 2);
    for (index, line) in text.lines().enumerate() {
        block.push_str(if index > 0 { "\n      " } else { "      " });
        block.push_str(line);
    }
    block
}

impl Rendered {
    /// The objects to print, versions and support first, routemap and route last.
    ///
    /// # Errors
    ///
    /// Two objects with one key; a routemap of more than 1 MiB, where it is wanted.
    pub fn select(self, options: &Options) -> Result<Manifests, RenderErrors> {
        let weights = options.routing != Routing::Route;
        let wanted = |manifest: &Manifest| weights || !matches!(manifest.role, Role::Weights(_));
        let mut list: Vec<Manifest> = self.manifests.into_iter().filter(wanted).collect();
        if let Some(routemap) = self.routemap.filter(|_| weights) {
            let size = routemap.object["data"]["strSpec"].as_str().map_or(0, str::len);
            if size > MAX_ROUTEMAP {
                let index =
                    |manifest: &Manifest| if let Role::Version(index) = manifest.role { Some(index) } else { None };
                let versions = list.iter().filter_map(index).max().map_or(0, |last| last + 1);
                return Err(RenderErrors::too_large(size, MAX_ROUTEMAP, versions));
            }
            list.push(routemap);
        }
        if let Some(route) = self.route.filter(|_| options.routing != Routing::Routemap) {
            let ready = |index: usize| options.ready.as_ref().is_none_or(|ready| ready.contains(&index));
            let manifest = route.at(&route.in_force(ready));
            list.push(manifest.map_err(|error| RenderErrors::internal(error.to_string()))?);
        }
        if options.api_version == ApiVersion::V1 {
            list.iter_mut().for_each(promote);
        }
        Ok(Manifests::new(list)?)
    }
}

/// Rewrites an object of a routing group from `v1beta1` to `v1`; the fields that r8 writes are the same in both.
fn promote(manifest: &mut Manifest) {
    if let Some(version) = manifest.object.get_mut("apiVersion")
        && let Some(text) = version.as_str()
        && VERSIONED.iter().any(|group| text.starts_with(group))
        && let Some(group) = text.strip_suffix("/v1beta1")
    {
        *version = format!("{group}/v1").into();
    }
}
