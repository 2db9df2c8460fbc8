//! `--target`: what a release uses that its target lacks or ignores.

use super::args::Global;
#[cfg(feature = "cluster")]
use super::connect;
use super::failure::{Failure, Fault};
#[cfg(feature = "cluster")]
use super::progress::Progress;
use super::report::Report;
use super::request::{Request, World};
#[cfg(feature = "cluster")]
use crate::cluster::{Cluster, News};
use crate::manifest::Manifests;
use crate::route::Route;
use crate::spec::ReleaseSpec;
#[cfg(feature = "cluster")]
use crate::target::Version;
use crate::target::{Effect, Subject, Table, Target, TargetError, check};
use crate::values;

/// What `--target` takes for the cluster of the kubeconfig.
pub(super) const CLUSTER: &str = "cluster";

/// A target, with the table that it is judged by.
pub(super) struct Aimed {
    table: Table,
    /// What the flag says of it.
    target: Target,
    /// Whether the cluster is to be asked for the rest, and has not been.
    asks: bool,
    /// What is to be known of products that a release uses.
    notes: Vec<Note>,
}

/// Something to be known of a product's version.
struct Note {
    product: String,
    text: String,
    hint: Option<String>,
}

/// What the flag says: products with their versions, or what the cluster says of itself, or both; none without it.
pub(super) fn of(flag: Option<&str>) -> Result<Option<Aimed>, Failure> {
    let Some(text) = flag else { return Ok(None) };
    let table = Table::embedded();
    let (cluster, named): (Vec<&str>, Vec<&str>) = text.split(',').partition(|part| part.trim() == CLUSTER);
    let asks = !cluster.is_empty();
    if asks && !cfg!(feature = "cluster") {
        return Err(Failure::usage("this r8 cannot ask a cluster", "name the versions, as in `--target istio=1.27`"));
    }
    let target = if asks && named.is_empty() { Ok(Target::default()) } else { Target::parse(&named.join(","), &table) };
    Ok(Some(Aimed { target: target.map_err(|error| refused(&error))?, table, asks, notes: Vec::new() }))
}

fn refused(error: &TargetError) -> Failure {
    Fault { message: error.to_string(), place: None, hint: Some(error.hint()) }.into()
}

impl Aimed {
    /// Asks the cluster, once, where that is to say what runs in it; what it does not say of the products of this release is a
    /// note.
    pub fn ask(
        &mut self,
        manifests: &Manifests,
        global: &Global,
        world: &World<'_>,
        report: &mut Report<'_>,
    ) -> Result<(), Failure> {
        if std::mem::take(&mut self.asks) {
            self.live(manifests, global, world, report)?;
        }
        self.tell(manifests, report);
        Ok(())
    }

    /// The target in words, behind a verdict.
    pub fn words(&self) -> String {
        let words = self.target.words();
        if words.is_empty() { words } else { format!(" for {words}") }
    }

    /// Reports everything that the target lacks or ignores.
    ///
    /// # Errors
    ///
    /// When it lacks something; that has been reported.
    pub fn judge(
        &self,
        request: &Request,
        spec: &ReleaseSpec,
        route: Option<&Route>,
        manifests: &Manifests,
        ready: &[Vec<usize>],
        report: &mut Report<'_>,
    ) -> Result<(), Failure> {
        let Ok(values) = values::load(&request.sources) else { return Ok(()) };
        let subject = Subject { spec, values: values.root(), manifests, route, ready };
        let mut lacks = false;
        for (index, finding) in check(&self.target, &self.table, &subject).into_iter().enumerate() {
            if index > 0 {
                report.blank();
            }
            let kind = match finding.effect {
                Effect::Lacks => ("error", "target-lacks"),
                Effect::Ignores => ("warning", "target-ignores"),
            };
            lacks |= finding.effect == Effect::Lacks;
            let place = finding.origin.zip(finding.path.as_deref());
            report.at(kind, &finding.message, place, &finding.hint, &request.sources);
        }
        if lacks { Err(Failure::Reported(2)) } else { Ok(()) }
    }

    /// Whether the target decides what a rule of the decoder warns of.
    pub fn speaks_for(&self, rule: &str) -> bool {
        self.table.speaks_for(rule, &self.target)
    }

    /// Says, once, what is to be known of the products whose objects these are.
    fn tell(&mut self, manifests: &Manifests, report: &mut Report<'_>) {
        let is_used = |note: &mut Note| {
            let group = self.table.product(&note.product).map(|product| product.group.as_str());
            manifests.iter().any(|manifest| Some(manifest.key.group.as_str()) == group)
        };
        for note in self.notes.extract_if(.., is_used) {
            report.message("note", &note.text, note.hint.as_deref());
        }
    }

    /// Adds what the cluster says of itself; what it does not say is a note.
    #[cfg(feature = "cluster")]
    fn live(
        &mut self,
        manifests: &Manifests,
        global: &Global,
        world: &World<'_>,
        report: &mut Report<'_>,
    ) -> Result<(), Failure> {
        let access = connect::access(global, world.variable);
        let found = {
            let progress = Progress::new(report, false);
            let say = |news: News<'_>| progress.tell(&news);
            connect::within(connect::Limit::Look, async |deadline, stop| {
                let cluster = Cluster::connect(&access, &say, deadline, stop).await?;
                cluster.capabilities(manifests).await
            })?
        };
        self.target.served = Some(found.served);
        for product in &self.table.products {
            if self.target.version(&product.name).is_some() {
                continue;
            }
            let written = found.versions.iter().find(|(name, _)| *name == product.name).map(|(_, written)| written);
            let version = match written {
                Some(Ok(text)) => {
                    let version = Version::parse(text).or_else(|| Version::of_image(text));
                    version.ok_or_else(|| format!("`{text}` says none"))
                }
                Some(Err(why)) => Err(why.clone()),
                None => continue,
            };
            let mut note = |text: String, hint: Option<String>| {
                self.notes.push(Note { product: product.name.clone(), text, hint });
            };
            match version {
                Ok(version) => {
                    let judged = product.nearest(version);
                    if judged != version {
                        let (name, range) = (&product.name, product.range());
                        note(format!("{name} {version} is judged as {judged}: r8 knows {range}"), None);
                    }
                    self.target.versions.push((product.name.clone(), judged));
                }
                Err(why) => {
                    let hint = format!("`--target cluster,{}=VERSION` names it", product.name);
                    note(format!("the version of {} is not known: {why}", product.name), Some(hint));
                }
            }
        }
        Ok(())
    }

    #[cfg(not(feature = "cluster"))]
    fn live(&mut self, _: &Manifests, _: &Global, _: &World<'_>, _: &mut Report<'_>) -> Result<(), Failure> {
        Ok(())
    }
}
