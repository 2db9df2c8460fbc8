//! `templates`: what is embedded, and a copy of it to change.

use std::path::Path;

use super::args::Templates;
use super::columns::{self, Cut, Gap};
use super::failure::Failure;
use super::files;
use super::render::warn_of_unread;
use super::report::Report;
use super::request::{World, catalog};
use crate::findings::in_line;
use crate::templates::Catalog;

/// How many of the files that are in the way are named.
const SHOWN: usize = 3;

/// Runs the command; gives what is to be printed on stdout.
pub(super) fn run(args: &Templates, world: &World<'_>, report: &mut Report<'_>) -> Result<String, Failure> {
    let mut own = |folder: Option<&str>| {
        let catalog = catalog(folder)?;
        warn_of_unread(&catalog, folder, report);
        Ok::<_, Failure>(catalog)
    };
    match args {
        Templates::List { templates } => Ok(list(&own(templates.as_deref())?, world.columns)),
        Templates::Show { place, templates } => show(&own(templates.as_deref())?, place, templates.as_deref()),
        Templates::Eject { folder, force } => eject(&Catalog::embedded(), folder, *force),
    }
}

fn list(catalog: &Catalog, columns: Option<usize>) -> String {
    let rows: Vec<Vec<String>> = std::iter::once(["ENVIRONMENT", "STRATEGIES", "PURPOSE"].map(str::to_owned))
        .chain(catalog.environments().into_iter().map(|row| [row.name, row.strategies.join(","), row.doc]))
        .map(|row| row.map(|cell| in_line(&cell).into_owned()).to_vec())
        .collect();
    let (gap, cut) = (Gap::Spaces(3), [(2, Cut::End)]);
    columns::table(&rows, &columns::widths(&rows, &[], gap, &cut, columns), gap, &cut)
}

fn show(catalog: &Catalog, place: &str, folder: Option<&str>) -> Result<String, Failure> {
    let Some((environment, strategy)) = place.split_once('/') else {
        return Err(Failure::usage(
            format!("`{place}` is no ENVIRONMENT/STRATEGY"),
            "write it as in `kserve/canary`; `r8 templates list` prints them",
        ));
    };
    let files = catalog.show(environment, strategy).map_err(|error| Failure::templates(&error, folder))?;
    Ok(files.iter().map(|file| format!("# r8/templates/{}\n{}\n", file.path, file.text)).collect())
}

fn eject(catalog: &Catalog, folder: &str, force: bool) -> Result<String, Failure> {
    if folder.is_empty() {
        return Err(Failure::usage(
            "DIR is empty",
            "name the folder to write to, as in `r8 templates eject my-templates`",
        ));
    }
    let below = |path: &str| format!("{}/{path}", folder.trim_end_matches('/'));
    let texts: Vec<(String, String)> = catalog.files().into_iter().map(|file| (below(&file.path), file.text)).collect();
    let there = texts.iter().map(|(path, _)| path.as_str()).filter(|path| Path::new(path).exists()).collect::<Vec<_>>();
    if !there.is_empty() && !force {
        let more = there.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let shown = there.get(..SHOWN).unwrap_or(&there).join(", ");
        return Err(Failure::usage(
            format!("there are already {shown}{more}"),
            "choose another folder, or overwrite them with `--force`",
        ));
    }
    files::write_all(&texts)?;
    Ok(format!("wrote {} files to {folder}\n", texts.len()))
}
