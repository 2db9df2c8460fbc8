//! `schema`: the JSON Schema of the values file.

use super::args;
use super::failure::Failure;
use super::render::warn_of_unread;
use super::report::Report;
use super::request::catalog;
use crate::schema::describe;

/// Runs the command; gives what is to be printed on stdout.
pub(super) fn run(args: &args::Schema, report: &mut Report<'_>) -> Result<String, Failure> {
    let folder = args.templates.as_deref();
    let catalog = catalog(folder)?;
    warn_of_unread(&catalog, folder, report);
    let names = match &args.environment {
        Some(name) => vec![name.clone()],
        None => catalog.names(),
    };
    let environments = names.iter().map(|name| catalog.environment(name)).collect::<Result<Vec<_>, _>>();
    let environments = environments.map_err(|error| Failure::templates(&error, folder))?;
    Ok(format!("{:#}\n", describe(&environments)))
}
